/** A part of a page that the browser brings to life: rendered here, hydrated by `client.ts` with the same properties. */

import type { ComponentType } from "preact";
import type { IslandName } from "../island_names.ts";

/** Renders `of` with `props`, which must survive JSON. */
export function Island<P extends object>(
  { name, of: Component, props }: {
    readonly name: IslandName;
    readonly of: ComponentType<P>;
    readonly props: P;
  },
) {
  return (
    <div data-island={name} data-props={JSON.stringify(props)}>
      <Component {...props} />
    </div>
  );
}
