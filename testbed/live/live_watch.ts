/**
 * Watches every box and machine of this process and tells what changes: samples, and what consoles print.
 *
 * It works on the host's timers, which run while a simulation breathes; simulated time never waits for it. The same
 * messages describe a REPL session in this process and a scenario in a worker that posts them. What is watched is held
 * weakly: a script that lets go of a host has its memory back.
 */

import type { SerialConsole } from "../machine_api.ts";
import { type MachineRegistry, machines } from "../machine_registry.ts";
import { type BoxEntry, boxes, type BoxRegistry } from "../watched_boxes.ts";
import { BoxSampler } from "./box_sampler.ts";
import type { HostSample } from "./host_sample.ts";

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
  readonly boxes?: BoxRegistry;
  readonly machines?: MachineRegistry;
  /** Milliseconds of the host's time between looks; default 100. */
  readonly everyMs?: number;
}

/** A box is sampled at every look, one of more domains than this at every second one, and so on. */
const DOMAINS_A_LOOK = 16;

/** What is kept of a box, for as long as there is the box. */
interface WatchedState {
  readonly sampler: BoxSampler;
  /** Of the latest sample: a box that stands still has no news. */
  told: string;
  /** Looks since the latest sample. */
  looks: number;
}

/** See the module comment. */
export class LiveWatch {
  readonly #boxes: BoxRegistry;
  readonly #machines: MachineRegistry;
  readonly #states = new WeakMap<object, WatchedState>();
  readonly #consoles = new Map<ConsoleKey, WeakRef<SerialConsole>>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #unlisten: () => void;
  #isStopped = false;

  /** Tells `listener` from now on; until {@link stop}. */
  constructor(private readonly listener: (news: LiveNews) => void, options: LiveWatchOptions = {}) {
    this.#boxes = options.boxes ?? boxes;
    this.#machines = options.machines ?? machines;
    this.#timer = setInterval(() => this.#look(1), options.everyMs ?? 100);
    // A script that has ended is not kept alive by being watched.
    Deno.unrefTimer(Number(this.#timer));
    // From its beginning on, so that nothing of its schedule is missed.
    this.#unlisten = this.#boxes.onAdded((entry) => this.#lookAt(entry, 1));
    this.look();
  }

  /** Looks now, whether it is a box's turn or not. */
  look(): void {
    this.#look(Infinity);
  }

  #look(looks: number): void {
    for (const entry of this.#boxes) this.#lookAt(entry, looks);
    for (const { name, console } of this.#machines) this.#watchConsole(name, name, console);
  }

  /** Types `text` at a console: an input of the simulation, at its present cycle. False if there is none. */
  type(key: ConsoleKey, text: string): boolean {
    const console = this.#consoles.get(key)?.deref();
    console?.send(text);
    return console !== undefined;
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#unlisten();
    for (const { holder } of this.#boxes) this.#states.get(holder)?.sampler.stop();
  }

  #lookAt({ name, holder, box }: BoxEntry, looks: number): void {
    const domains = box.domains();
    for (const domain of domains) {
      if (!domain.console) continue;
      this.#watchConsole(`${name}/${domain.id}`, domain.name, domain.console);
    }
    let state = this.#states.get(holder);
    if (!state) {
      state = { sampler: new BoxSampler(box, name), told: "", looks: 0 };
      this.#states.set(holder, state);
    }
    state.looks += looks;
    if (state.looks < domains.length / DOMAINS_A_LOOK) return;
    state.looks = 0;
    const sample = state.sampler.sample(box);
    const told = `${sample.timeNs} ${sample.domains.map(({ id, activity }) => id + activity)}`;
    if (state.told === told) return;
    state.told = told;
    this.listener({ kind: "sample", sample });
  }

  #watchConsole(key: ConsoleKey, title: string, console: SerialConsole): void {
    if (this.#consoles.get(key)?.deref() === console) return;
    this.#consoles.set(key, new WeakRef(console));
    const decoder = new TextDecoder();
    console.onOutput((bytes) => {
      if (this.#isStopped) return;
      this.listener({ kind: "output", key, text: decoder.decode(bytes, { stream: true }) });
    });
    this.listener({ kind: "console", key, title, text: console.text });
  }
}
