/** `.xl`: the verbs of xl for the hosts of a session. */

import type { Host } from "../host/host.ts";
import type { HostDomain } from "../host/host_domain.ts";
import type { HostRegistry } from "../host_registry.ts";
import type { SerialConsole, StopReason } from "../machine_api.ts";
import type { XlSession } from "../toolstack/mod.ts";

/** What a keyboard can be connected to: it runs as long as that lasts. */
export interface Attachable {
  readonly name: string;
  readonly console: SerialConsole;
  readonly running: boolean;
  run(): Promise<StopReason>;
  interrupt(): void;
}

/** The sessions of the hosts of a process: each has its toolstack once. */
export class XlSessions {
  readonly #sessions = new WeakMap<Host, XlSession>();

  constructor(
    private readonly hosts: HostRegistry,
    private readonly attach: (target: Attachable) => Promise<string>,
  ) {}

  /** Carries out `words`; `-h Host` before the verb means another host than the newest. */
  async run(words: readonly string[]): Promise<string> {
    const { runVerb, wordsOf } = await import("../toolstack/mod.ts");
    const command = wordsOf(words.join(" "));
    const name = command[0] === "-h" ? command.splice(0, 2)[1] : undefined;
    return await runVerb(await this.#session(name), command);
  }

  /** A domain of the newest host, or of the one named. Rejects with `RangeError` that says which there are. */
  async domain(name: string, host?: string): Promise<HostDomain> {
    const { tools } = await this.#session(host);
    return tools.domain(name);
  }

  async #session(name?: string): Promise<XlSession> {
    const all = [...this.hosts];
    const [, host] = all.find(([each]) => each === name) ??
      (name === undefined ? all.at(-1) : null) ?? [];
    if (!host) {
      const names = all.map(([each]) => each).join(", ") || "none";
      throw new RangeError(
        `there is no host ${
          name ?? 'yet: make one with await Host.boot({ memory: "1GiB" })'
        }; there are: ${names}`,
      );
    }
    let session = this.#sessions.get(host);
    if (!session) this.#sessions.set(host, session = await this.#open(host));
    return session;
  }

  async #open(host: Host): Promise<XlSession> {
    const { savedDomainFiles, Toolstack } = await import("../toolstack/mod.ts");
    const tools = Toolstack.of(host);
    const attach = this.attach;
    return {
      tools,
      destination: async (name) => (await this.#session(name)).tools,
      top: { cycle: 0, running: new Map() },
      files: savedDomainFiles,
      console: (reference) => {
        const { name, console } = tools.domain(reference);
        return attach({
          name,
          console,
          get running() {
            return host.running;
          },
          run: () => host.run(),
          interrupt: () => host.interrupt(),
        });
      },
    };
  }
}
