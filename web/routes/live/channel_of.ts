/** The channel that a path names. */

import type { LiveChannel } from "../../live/live_channel.ts";
import { PageError, type Visit } from "../../route.ts";

/** Throws a 404 if there is none. */
export function channelOf({ params, live }: Visit): LiveChannel {
  const channel = live.find(params.id);
  if (!channel) {
    throw new PageError(404, `Nothing of the id ${params.id} goes on here.`, "live");
  }
  return channel;
}
