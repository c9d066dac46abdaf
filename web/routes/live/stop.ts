/** Stops a run; what it measured is kept. */

import { PageError, type Route, seeOther } from "../../route.ts";
import { channelOf } from "./channel_of.ts";

const route: Route = {
  path: "/live/:id/stop",
  post(visit) {
    const { id, options } = channelOf(visit);
    if (!options.stop) throw new PageError(409, "A session is ended where it was begun.", "live");
    options.stop();
    return seeOther(`/live/${id}`);
  },
};

export default route;
