/** The news of a channel, or of one of its consoles, as server-sent events. */

import { PageError, type Route } from "../../route.ts";
import { channelOf } from "./channel_of.ts";

const route: Route = {
  path: "/live/:id/stream",
  get(visit) {
    const channel = channelOf(visit);
    const key = visit.url.searchParams.get("console");
    if (key === null) return channel.watch().response();
    if (!channel.console(key)) throw new PageError(404, `There is no console ${key}.`, "live");
    return channel.watchConsole(key).response();
  },
};

export default route;
