/** Writes down what a machine is given, as it is given. */

import type { Cycle } from "../../core/clock/clock.ts";
import type { MachineOptions } from "../machine_api.ts";
import type { MachineImages } from "../machine_images.ts";
import { plainOptions } from "../snapshot/snapshot_file.ts";
import type { InputJournal } from "./input_journal.ts";
import { type LogStart, LogWriter } from "./log_file.ts";
import { imageDigests, namesAllImages, snapshotPathOf } from "./replay.ts";

/** What a recorder needs of its machine. */
export interface RecordedMachine {
  readonly name: string;
  readonly now: Cycle;
  readonly options: MachineOptions;
  readonly images: MachineImages;
  readonly trace: { readonly hash: string };
  readonly timeline: { readonly journal: InputJournal };
  /** Writes a snapshot and returns its digest. */
  save(path: string): Promise<string>;
}

/** The recording of one machine, from {@link Recorder.begin} to {@link stop}. */
export class Recorder {
  readonly #machine: RecordedMachine;
  readonly #log: LogWriter;
  /** Inputs that the machine had had before. */
  readonly #before: number;
  #lastMark = -1;
  #stopped = false;

  private constructor(machine: RecordedMachine, log: LogWriter, start: LogStart) {
    this.#machine = machine;
    this.#log = log;
    log.append(start);
    const { journal } = machine.timeline;
    this.#before = journal.had;
    for (const input of journal.since(journal.had)) this.#log.append({ kind: "input", ...input });
    journal.onAdd = (input) => {
      // Marks of a future that the machine was sent back from do not hold any more.
      if (input.cycle < this.#lastMark) this.#back();
      this.#log.append({ kind: "input", ...input });
    };
    journal.onForget = () => this.#back();
  }

  /**
   * Begins a log in `path`, and a snapshot beside it unless the machine was just switched on with images that its
   * options name.
   */
  static async begin(path: string, machine: RecordedMachine): Promise<Recorder> {
    const { name, options, images, now, timeline: { journal } } = machine;
    const isNew = now === 0 && journal.since(0).length === 0 && namesAllImages(options);
    const snapshot = isNew ? null : await machine.save(snapshotPathOf(path));
    return new Recorder(machine, new LogWriter(path), {
      kind: "start",
      name,
      cycle: now,
      hash: machine.trace.hash,
      snapshot,
      options: plainOptions(options),
      images: isNew ? imageDigests(images) : [],
    });
  }

  /** A state digest has entered the trace. */
  mark(): void {
    const { now: cycle, trace: { hash } } = this.#machine;
    if (cycle <= this.#lastMark) return;
    this.#lastMark = cycle;
    this.#log.append({ kind: "mark", cycle, hash });
  }

  /** Ends the recording; further calls do nothing. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const { now: cycle, trace: { hash }, timeline: { journal } } = this.#machine;
    journal.onAdd = journal.onForget = () => {};
    this.#log.append({ kind: "end", cycle, hash });
    this.#log.close();
  }

  #back(): void {
    const { now: cycle, timeline: { journal } } = this.#machine;
    this.#lastMark = Math.min(this.#lastMark, cycle);
    const inputs = Math.max(0, journal.had - this.#before);
    this.#log.append({ kind: "back", cycle, inputs });
  }
}
