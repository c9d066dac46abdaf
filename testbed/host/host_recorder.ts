/** Writes down what a host is given, as it is given. */

import type { Cycle } from "../../core/clock/clock.ts";
import type { SnapshotValue } from "../../core/lib/snapshot.ts";
import type { HostInstant, HostLogEntry } from "./host_log.ts";
import { LogWriter } from "../replay/log_file.ts";
import { snapshotPathOf } from "../replay/replay.ts";
import { plainData } from "../snapshot/plain_data.ts";
import type { Recording } from "../machine_api.ts";
import type { Host } from "./host.ts";
import { type HostInput, type HostWitness, withDisks } from "./host_inputs.ts";
import { DiskLogger } from "./logged_disks.ts";

/** The trace hash is written down each time so many cycles have passed. */
const MARK_CYCLES = 10_000_000;

/**
 * Writes all that `host` is given from now on to a log that `replayHost` reads, as it is given: what is done through it, its
 * domains' consoles and its toolstack. What it begins from is a file beside it (`path` with `.snapshot`), unless the host was
 * just booted. Rejects with a `TypeError` if it is recorded already, runs, or consists of more than data.
 */
export async function recordHost(host: Host, path: string): Promise<Recording> {
  const why = whyNotRecorded(host);
  if (why !== null) throw new TypeError(`this host ${why}`);
  const { options, hardware: { clock, trace } } = host;
  const isNew = clock.reached === 0 && !host.inputs.used;
  const snapshot = isNew ? null : await saveBeside(path, host);
  const log = new LogWriter(path);
  log.append({
    kind: "start",
    subject: "host",
    name: "host",
    cycle: clock.reached,
    hash: trace.hash,
    snapshot,
    options: plainData(options) as { readonly [name: string]: SnapshotValue },
    images: [],
  });
  const recorder = new HostRecorder(host, log);
  return { path, stop: () => recorder.stop() };
}

function whyNotRecorded({ inputs, running, options, modelled }: Host): string | null {
  if (inputs.witness) return "is recorded already";
  if (running) return "is running: interrupt it first";
  if (options.policy) return "cannot be recorded: its policy is a script's";
  const [model] = modelled.all;
  return model ? `cannot be recorded: the programs of its domain ${model.name} are no data` : null;
}

/** The recording of one host, until {@link HostRecorder.stop}. */
class HostRecorder implements HostWitness {
  readonly #host: Host;
  readonly #log: LogWriter;
  readonly #disks = new DiskLogger();
  /** Slices that had passed before. */
  readonly #before: number;
  #nextMark: number;
  #stopped = false;

  constructor(host: Host, log: LogWriter) {
    this.#host = host;
    this.#log = log;
    this.#before = host.slices;
    this.#nextMark = this.#cycle + MARK_CYCLES;
    host.inputs.witness = this;
  }

  input(input: HostInput): void {
    const logged = withDisks(input, (disk) => this.#disks.logged(disk));
    this.#append({ kind: "input", input: logged, ...this.#instant });
  }

  slice(): void {
    if (this.#cycle < this.#nextMark) return;
    this.#nextMark = this.#cycle + MARK_CYCLES;
    this.#append({ kind: "mark", hash: this.#host.hardware.trace.hash, ...this.#instant });
  }

  replaced(): void {
    this.stop();
  }

  /** Ends the recording; further calls do nothing. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#host.inputs.witness = null;
    this.#append({ kind: "end", hash: this.#host.hardware.trace.hash, ...this.#instant });
    this.#log.close();
  }

  get #cycle(): Cycle {
    return this.#host.hardware.clock.reached;
  }

  get #instant(): HostInstant {
    return { cycle: this.#cycle, slices: this.#host.slices - this.#before };
  }

  #append(entry: HostLogEntry): void {
    this.#log.append(plainData(entry) as unknown as HostLogEntry);
  }
}

async function saveBeside(path: string, host: Host): Promise<string> {
  const { hostSections } = await import("./host_file.ts");
  const { writeSections } = await import("../snapshot/section_file.ts");
  return await writeSections(snapshotPathOf(path), hostSections(host));
}
