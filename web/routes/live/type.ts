/** What somebody types at a console. */

import { PageError, type Route } from "../../route.ts";
import { channelOf } from "./channel_of.ts";

/** Characters that are typed (or pasted) at once at most. */
const MAX_TYPED = 64 * 1024;

const route: Route = {
  path: "/live/:id/type",
  async post(visit) {
    const channel = channelOf(visit);
    const key = visit.url.searchParams.get("console") ?? "";
    if (!channel.console(key)) throw new PageError(404, `There is no console ${key}.`, "live");
    const text = await visit.request.text();
    if (text.length > MAX_TYPED) {
      throw new PageError(400, `At most ${MAX_TYPED} characters are typed at once.`, "live");
    }
    channel.options.type(key, text);
    return new Response(null, { status: 204 });
  },
};

export default route;
