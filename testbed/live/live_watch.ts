/**
 * Watches every host and machine of this process and tells what changes: samples, and what consoles print.
 *
 * It works on the host's timers, which run while a simulation breathes; simulated time never waits for it. The same
 * messages describe a REPL session in this process and a scenario in a worker that posts them.
 */

import type { HostDomain } from "../host/host.ts";
import { type HostRegistry, hosts } from "../host_registry.ts";
import type { SerialConsole } from "../machine_api.ts";
import { type MachineRegistry, machines } from "../machine_registry.ts";
import type { HostSample } from "./host_sample.ts";
import { HostSampler } from "./host_sampler.ts";

/** A console's key: a host's domain as `host1/3`, a machine's serial port as the machine's name. */
export type ConsoleKey = string;

/** What there is to tell. */
export type LiveNews =
  | { readonly kind: "sample"; readonly sample: HostSample }
  /** A console came into being; `text` is what it has printed so far. */
  | {
    readonly kind: "console";
    readonly key: ConsoleKey;
    readonly title: string;
    readonly text: string;
  }
  /** A console printed. */
  | { readonly kind: "output"; readonly key: ConsoleKey; readonly text: string };

/** What is watched, and how often. */
export interface LiveWatchOptions {
  readonly hosts?: HostRegistry;
  readonly machines?: MachineRegistry;
  /** Milliseconds of the host's time between samples; default 250. */
  readonly everyMs?: number;
}

interface WatchedConsole {
  readonly console: SerialConsole;
  detach(): void;
}

/** See the module comment. */
export class LiveWatch {
  readonly #hosts: HostRegistry;
  readonly #machines: MachineRegistry;
  readonly #samplers = new Map<string, HostSampler>();
  readonly #consoles = new Map<ConsoleKey, WatchedConsole>();
  /** Simulated time of the latest sample of each host: one that stands still has no news. */
  readonly #told = new Map<string, string>();
  readonly #timer: ReturnType<typeof setInterval>;

  /** Tells `listener` from now on; until {@link stop}. */
  constructor(private readonly listener: (news: LiveNews) => void, options: LiveWatchOptions = {}) {
    this.#hosts = options.hosts ?? hosts;
    this.#machines = options.machines ?? machines;
    this.#timer = setInterval(() => this.look(), options.everyMs ?? 250);
    // A script that has ended is not kept alive by being watched.
    Deno.unrefTimer(Number(this.#timer));
    this.look();
  }

  /** Looks now. */
  look(): void {
    for (const [name, host] of this.#hosts) {
      for (const domain of host.domains) this.#watchDomain(name, domain);
      let sampler = this.#samplers.get(name);
      if (!sampler) this.#samplers.set(name, sampler = new HostSampler(host, name));
      const sample = sampler.sample();
      const state = `${sample.timeNs} ${sample.domains.map(({ id, activity }) => id + activity)}`;
      if (this.#told.get(name) === state) continue;
      this.#told.set(name, state);
      this.listener({ kind: "sample", sample });
    }
    for (const { name, console } of this.#machines) this.#watchConsole(name, name, console);
  }

  /** Types `text` at a console: an input of the simulation, at its present cycle. False if there is none. */
  type(key: ConsoleKey, text: string): boolean {
    const watched = this.#consoles.get(key);
    watched?.console.send(text);
    return watched !== undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const sampler of this.#samplers.values()) sampler.stop();
    for (const { detach } of this.#consoles.values()) detach();
    this.#samplers.clear();
    this.#consoles.clear();
  }

  #watchDomain(host: string, { id, name, console }: HostDomain): void {
    this.#watchConsole(`${host}/${id}`, name, console);
  }

  #watchConsole(key: ConsoleKey, title: string, console: SerialConsole): void {
    const known = this.#consoles.get(key);
    if (known?.console === console) return;
    known?.detach();
    const decoder = new TextDecoder();
    const detach = console.onOutput((bytes) => {
      this.listener({ kind: "output", key, text: decoder.decode(bytes, { stream: true }) });
    });
    this.#consoles.set(key, { console, detach });
    this.listener({ kind: "console", key, title, text: console.text });
  }
}
