/** The console of one guest. */

import { Island } from "../../components/island.tsx";
import { Console } from "../../islands/console.tsx";
import { PageError, type Route } from "../../route.ts";
import { channelOf } from "./channel_of.ts";

const route: Route = {
  path: "/live/:id/console",
  get(visit) {
    const channel = channelOf(visit);
    const key = visit.url.searchParams.get("key") ?? "";
    const console = channel.console(key);
    if (!console) throw new PageError(404, `There is no console ${key}.`, "live");
    return {
      title: `Console of ${console.title}`,
      place: "live",
      terminal: true,
      body: (
        <>
          <p class="soft">
            <a href={`/live/${channel.id}`}>{channel.title}</a>. What you type is an input of the
            simulation, at the cycle that it has reached; a machine that stands still reads it when
            it runs on. <kbd>Ctrl</kbd> <kbd>]</kbd> leaves the console.
          </p>
          <Island name="console" of={Console} props={{ channel: channel.id, console: key }} />
        </>
      ),
    };
  },
};

export default route;
