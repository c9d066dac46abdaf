/** Brings the islands of a page to life: each one's code is loaded when the page has it. */

import { type ComponentType, h, hydrate } from "preact";
import { ISLAND_NAMES, type IslandName } from "./island_names.ts";

type Properties = Readonly<Record<string, unknown>>;

/** Literal paths, so that the bundler makes a chunk of each. */
const LOADERS: Readonly<Record<IslandName, () => Promise<ComponentType<never>>>> = {
  theme_switch: async () => (await import("./islands/theme_switch.tsx")).ThemeSwitch,
  live_view: async () => (await import("./islands/live_view.tsx")).LiveView,
  console: async () => (await import("./islands/console.tsx")).Console,
};

for (const element of document.querySelectorAll<HTMLElement>("[data-island]")) {
  const name = ISLAND_NAMES.find((each) => each === element.dataset.island);
  if (name) void wake(element, name);
}

async function wake(element: HTMLElement, name: IslandName): Promise<void> {
  const Component = await LOADERS[name]() as ComponentType<Properties>;
  hydrate(h(Component, JSON.parse(element.dataset.props ?? "{}")), element);
  element.dataset.awake = "";
}
