/** What goes on: runs that were started here, and the session that the dashboard belongs to. */

import type { DashboardServices, RunNews } from "../services.ts";
import { LiveChannel } from "./live_channel.ts";

/** The channel of the session. */
export const SESSION_ID = "session";
/** Channels of ended runs that are kept for those who still look. */
const MAX_ENDED = 8;

/** See the module comment. */
export class LiveHub {
  readonly #channels = new Map<string, LiveChannel>();
  readonly #unwatch: () => void = () => {};

  constructor(private readonly services: DashboardServices) {
    const { session } = services;
    if (!session) return;
    const channel = new LiveChannel({
      id: SESSION_ID,
      title: session.title,
      kind: "session",
      type: (console, text) => session.type(console, text),
    });
    this.#channels.set(SESSION_ID, channel);
    this.#unwatch = session.watch((news) => channel.push(news));
  }

  /** Newest first. */
  list(): readonly LiveChannel[] {
    return [...this.#channels.values()].reverse();
  }

  find(id: string): LiveChannel | undefined {
    return this.#channels.get(id);
  }

  /** Starts a scenario and watches it. Rejects as {@link ScenarioBook.start} does. */
  async start(
    name: string,
    title: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<LiveChannel> {
    const early: RunNews[] = [];
    let push = (news: RunNews): void => void early.push(news);
    const run = await this.services.scenarios.start(name, fields, (news) => push(news));
    const channel = new LiveChannel({
      id: run.id,
      title,
      kind: "run",
      type: (console, text) => run.type(console, text),
      stop: () => run.stop(),
    });
    for (const news of early) channel.push(news);
    push = (news) => channel.push(news);
    this.#channels.set(run.id, channel);
    run.ended.then(() => this.#forgetOld());
    return channel;
  }

  /** Ends every stream; what goes on is not stopped. */
  close(): void {
    this.#unwatch();
    for (const channel of this.#channels.values()) channel.close();
  }

  #forgetOld(): void {
    const ended = [...this.#channels.values()].filter(({ status }) => status !== "running");
    for (const channel of ended.slice(0, -MAX_ENDED)) {
      channel.close();
      this.#channels.delete(channel.id);
    }
  }
}
