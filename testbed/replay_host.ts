/** A recorded host once more: the same start, the same inputs at the same instants, and the trace hash to prove it. */

import type { Cycle } from "../core/clock/clock.ts";
import { SnapshotError } from "../core/lib/snapshot.ts";
import { Host, type HostDomain, type HostOptions } from "./host/host.ts";
import { hostOf, savedHost } from "./host/host_file.ts";
import { carryOut, digests, type HostInput, withDisks } from "./host/host_inputs.ts";
import { DiskReader } from "./host/logged_disks.ts";
import { kernelImages } from "./host/kernel_images.ts";
import { DRIVERS } from "./host/domain_config.ts";
import { hosts } from "./host_registry.ts";
import type { StopReason } from "./machine_api.ts";
import { type HostLog, type HostLogEntry, readHostLog } from "./host/host_log.ts";
import { readLogFile, snapshotPathOf } from "./replay/replay.ts";
import { runSlices, sliceEnd } from "./run_slices.ts";
import { readSections } from "./snapshot/section_file.ts";

/** How far, and from what, to replay. */
export interface HostReplayOptions {
  /** Where to stop; default: where the log ends. */
  readonly to?: Cycle;
  /** The file that the log begins from, if it is not beside it. */
  readonly snapshot?: string;
  readonly signal?: AbortSignal;
  /** Told of each domain that there is, or comes to be, before it runs. */
  readonly onDomain?: (domain: HostDomain) => void;
}

/** A replay that has come to where it was wanted. */
export class HostReplay {
  readonly host: Host;
  /** The last cycle that the log knows of. */
  readonly recordedTo: Cycle;
  /** Bytes at the log's end that a crash left there in part, and that were left out. */
  readonly tornBytes: number;
  readonly #path: string;
  readonly #entries: readonly HostLogEntry[];
  readonly #told: (domain: HostDomain) => void;
  readonly #disks = new DiskReader();
  #next = 0;
  #checked = 0;
  /** Where the run that is under way must end. */
  #limit = Infinity;
  /** Where the slice ends that is under way. */
  #target: Cycle | null = null;

  constructor(
    path: string,
    host: Host,
    { entries, recordedTo, tornBytes }: HostLog,
    onDomain: (domain: HostDomain) => void,
  ) {
    this.#path = path;
    this.#told = onDomain;
    this.host = host;
    this.#entries = entries;
    this.recordedTo = recordedTo;
    this.tornBytes = tornBytes;
  }

  /** How often the trace hash was compared with the recorded one, and was the same. */
  get checked(): number {
    return this.#checked;
  }

  /**
   * Runs on as it was recorded, up to a cycle (default: to the end of the log). Rejects with a {@link SnapshotError} if what happens
   * differs from what was recorded.
   */
  async runTo(to: Cycle = this.recordedTo, signal?: AbortSignal): Promise<StopReason> {
    return await runSlices(
      {
        now: () => this.#now,
        isInterrupted: () => false,
        slice: () => this.#advance(to),
        flush: () => {
          for (const { console } of this.host.domains) console.flush();
        },
      },
      { signal },
      null,
    );
  }

  get #now(): Cycle {
    return this.host.hardware.clock.reached;
  }

  /** Comes nearer to the next entry, or has it. */
  #advance(to: Cycle): StopReason | null | Promise<null> {
    const entry = this.#entries.at(this.#next);
    if (!entry || entry.cycle > to) {
      if (this.#now >= to) return { kind: "limit" };
      this.#slice(to);
      return null;
    }
    if (this.#now > entry.cycle) throw this.#differs(`it is at cycle ${this.#now}`);
    if (this.host.slices < entry.slices) {
      this.#slice();
      return null;
    }
    if (this.host.slices > entry.slices) throw this.#differs("its runs have other slices");
    if (this.#now < entry.cycle) {
      this.#target = null;
      this.host.dispatcher.advance(entry.cycle);
      if (this.#now === entry.cycle) return null;
      throw this.#differs(`it stands still at cycle ${this.#now}`);
    }
    this.#next++;
    return this.#take(entry);
  }

  /** Advances by a slice, or by what of it is before `bound`: the rest follows. */
  #slice(bound = Infinity): void {
    const { host } = this;
    const target = this.#target ??= sliceEnd(this.#now, this.#limit);
    const from = this.#now;
    const end = Math.max(from, Math.min(target, bound)) as Cycle;
    host.dispatcher.advance(end);
    if (end < target && this.#now === end && !host.dispatcher.stopped) return;
    this.#target = null;
    host.endSlice();
  }

  #take(entry: HostLogEntry): null | Promise<null> {
    const { host } = this;
    if (entry.kind === "input") {
      this.#target = null;
      return this.#carryOut(withDisks(entry.input, (disk) => this.#disks.read(disk)));
    }
    const { hash } = host.hardware.trace;
    if (hash !== entry.hash) throw this.#differs(`its trace hash is ${hash}, was ${entry.hash}`);
    this.#checked++;
    return null;
  }

  async #carryOut(input: HostInput): Promise<null> {
    switch (input.kind) {
      case "run":
        this.#limit = input.limit ?? Infinity;
        return null;
      case "create":
        await this.#checkImages(input);
        await attempted(async () => this.#told(await this.host.create(input.config)));
        return null;
      case "restore":
        await attempted(() => this.#told(this.host.restoreDomain(input.record, input.changed)));
        return null;
      default:
        await attempted(() => carryOut(this.host, input));
        return null;
    }
  }

  async #checkImages({ config, images }: HostInput & { readonly kind: "create" }): Promise<void> {
    if (config.kernel === DRIVERS) return;
    const { kernel, initrd } = await kernelImages(config);
    const found = digests(initrd ? [kernel, initrd] : [kernel]);
    if (found.length === images.length && found.every((each, i) => each === images[i])) return;
    throw new SnapshotError(
      `log ${this.#path}: the images that domain ${config.name} starts with are not those it was recorded with`,
    );
  }

  #differs(how: string): SnapshotError {
    const { cycle } = this.#entries[Math.min(this.#next, this.#entries.length - 1)];
    return new SnapshotError(
      `the replay of ${this.#path} differs from what was recorded at cycle ${cycle}, or before: ${how}`,
    );
  }
}

/** What the host refused when it was recorded it refuses again: the caller was told then. */
async function attempted(act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
  }
}

/**
 * Boots the host of a log and runs it as it was recorded. Rejects with a {@link SnapshotError} if the log is altered, does not belong to
 * the snapshot or images, or if the trace hash differs.
 */
export async function replayHost(
  path: string,
  { to, snapshot, signal, onDomain = () => {} }: HostReplayOptions = {},
): Promise<HostReplay> {
  const log = await readLogFile(path, readHostLog);
  const host = await hostAtStart(path, log, snapshot);
  const { clock, trace } = host.hardware;
  if (clock.reached !== log.start.cycle || trace.hash !== log.start.hash) {
    throw new SnapshotError(`log ${path} does not begin from this host: its start differs`);
  }
  hosts.add(host);
  for (const domain of host.domains) onDomain(domain);
  const replay = new HostReplay(path, host, log, onDomain);
  await replay.runTo(to, signal);
  return replay;
}

async function hostAtStart(
  path: string,
  { start }: HostLog,
  snapshotPath = snapshotPathOf(path),
): Promise<Host> {
  if (start.snapshot === null) {
    return await Host.boot(start.options as unknown as HostOptions);
  }
  return await readSections(snapshotPath, async ({ sections, digest }) => {
    if (digest === start.snapshot) return await hostOf(savedHost(sections));
    throw new SnapshotError(
      `the log ${path} does not belong to it: that was recorded from one with the digest ${start.snapshot}`,
    );
  });
}
