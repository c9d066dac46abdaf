/**
 * What a machine looks like to those who drive it: scripts, the command line and the REPL.
 *
 * `machine.ts` implements it. Every operation that advances simulated time resolves with the machine
 * stopped at one exact cycle; everything else is a view that cannot be written through.
 */

import type { Clock, Cycle, Cycles } from "../core/clock/clock.ts";
import type { Nanoseconds } from "../core/clock/clock.ts";
import type { CounterReading, Counts } from "../core/trace/counters.ts";
import type { TraceKind } from "../core/trace/trace.ts";
import type { ExitReason, HotEngineOptions } from "../core/translate/mod.ts";
import type { PhysicalAddress } from "../core/lib/brand.ts";
import type { SnapshotRecord } from "../core/lib/snapshot.ts";
import type { EthernetSwitch, ScriptedHost } from "../devices/net/mod.ts";
import type { Debugger } from "./debugger/debugger_api.ts";
import type { StopHit } from "./debugger/stop_conditions.ts";
import type { GuestProfile } from "./profile/guest_profile.ts";
import type { Bytes } from "./units.ts";

/** Which reader of the instruction definitions runs a machine. */
export type EngineName = "reference" | "cold" | "hot";

/** An input file: a path, the name of an image of the store (`debian`), or the bytes themselves. */
export type ImageSource = string | Uint8Array;

/** What a machine is built of. Sizes and times are strings with units, or branded numbers. */
export interface MachineOptions {
  /** How listings call it; unique in the process. Default `machine1`, `machine2`, … */
  readonly name?: string;
  /** A bzImage, an ELF with a PVH or multiboot entry, or an image's name; starts without firmware. */
  readonly kernel?: ImageSource;
  /** The initial RAM disk; for an image of the store its own is the default. */
  readonly initrd?: ImageSource;
  /** Multiboot modules, each with its command line. */
  readonly modules?: readonly { readonly image: ImageSource; readonly commandLine?: string }[];
  /** The kernel's command line. */
  readonly append?: string;
  /** The ROM at the reset vector; the default if no kernel is given is `seabios`. */
  readonly bios?: ImageSource;
  /** Hard disks, first one first; what a guest writes stays in memory. */
  readonly disks?: readonly ImageSource[];
  readonly cdrom?: ImageSource;
  /** What the network card is wired to: `none`, or the name of a virtual switch. */
  readonly net?: string;
  /** The CPU model by name. */
  readonly cpuModel?: string;
  readonly memory?: string | Bytes;
  readonly cpus?: number;
  readonly engine?: EngineName;
  /** Of the hot engine: the bound of its code cache, and whether it counts how its code is entered and left; `passes` is the cold one's, too. */
  readonly translator?: HotEngineOptions;
  /** By how many cycles the CPUs of one machine may run ahead of each other (default 20,011). */
  readonly quantumCycles?: number;
  /** Memory for automatic checkpoints, for example `1GiB`: the machine can then be sent back. Default: none are taken. */
  readonly checkpoints?: string | Bytes;
}

/** Why a run ended. */
export type StopReason =
  /** The console printed the text that was waited for. */
  | { readonly kind: "marker"; readonly text: string }
  /** The cycle that was asked for is reached. */
  | { readonly kind: "limit" }
  /** The guest switched the machine off (ACPI S5). */
  | { readonly kind: "powerOff" }
  /** The guest reset the machine; running on starts it anew. */
  | { readonly kind: "reset" }
  /** The guest wrote the debug-exit port; `code` is what a process would exit with. */
  | { readonly kind: "exit"; readonly code: number }
  /** A CPU shut down; the description says where and after which fault. */
  | { readonly kind: "tripleFault"; readonly description: string }
  /** All CPUs wait, and nothing can wake them: interrupts are masked, or no event is pending. */
  | { readonly kind: "halted" }
  /** The caller's signal asked to stop; running on is possible. */
  | { readonly kind: "aborted" }
  /** The debugger stopped the machine: which of its stops were met, and where the CPU is that met them. */
  | {
    readonly kind: "breakpoint";
    readonly cpu: number;
    readonly address: bigint;
    readonly hits: readonly StopHit[];
  };

/** How far to run. Whatever comes first ends the run. */
export interface RunOptions {
  /** Stops at this instant; of several CPUs, some may then be as much as a quantum behind. */
  readonly untilCycle?: Cycle;
  /** Stops after so many cycles. */
  readonly forCycles?: Cycles;
  /** Stops at the cycle at which the console's output, from here on, contains this. */
  readonly untilText?: string;
  readonly signal?: AbortSignal;
}

/** The first serial port, as a terminal at its other end. */
export interface SerialConsole {
  /** Everything printed so far. */
  readonly text: string;
  /** Calls `listener` with each piece of output as it is printed; returns how to stop that. */
  onOutput(listener: (bytes: Uint8Array) => void): () => void;
  /** Types `text`; it is logged as an input at the current cycle. */
  send(text: string | Uint8Array): void;
  /**
   * Runs the machine until it prints `pattern` after what earlier waits matched; resolves with the match.
   * Rejects with an error that quotes the last lines if the machine stops, or the simulated time is up, before.
   */
  waitFor(
    pattern: string | RegExp,
    options?: { readonly timeoutSimulated?: string | Nanoseconds; readonly signal?: AbortSignal },
  ): Promise<string>;
}

/** How long to wait for text on the screen. */
export interface ScreenWaitOptions {
  readonly timeoutSimulated?: string | Nanoseconds;
  readonly signal?: AbortSignal;
}

/** One CPU; prints as a table of its registers. */
export interface CpuView {
  readonly index: number;
  /** `real`, `protected`, `v8086`, `compatibility` or `long`. */
  readonly mode: string;
  /** The width of code at RIP. */
  readonly codeBits: 16 | 32 | 64;
  readonly halted: boolean;
  /** By the manual's names in lower case: `rax`, `rip`, `rflags`, `cs`, `cr3`, `efer`, … */
  readonly registers: Readonly<Record<string, bigint>>;
}

/** Read access to memory; nothing read has side effects. */
export interface MemoryView {
  readonly sizeBytes: number;
  /** Reads guest-physical memory; throws `RangeError` outside RAM. */
  readBytes(address: PhysicalAddress, lengthBytes: number): Uint8Array;
  /** Reads at a linear address through a CPU's paging; shorter than asked for where a page is absent. */
  readLinear(cpu: number, address: bigint, lengthBytes: number): Uint8Array;
}

/**
 * Changes of a stopped machine's state; each is an input that the journal and recordings keep. All throw `RangeError`
 * for what is not there, and with several CPUs where they stand within a turn.
 */
export interface StateChanges {
  /** Writes guest-physical memory. */
  memory(address: PhysicalAddress, bytes: Uint8Array): void;
  /** Writes at a linear address through a CPU's paging; all of it must be mapped. */
  linear(cpu: number, address: bigint, bytes: Uint8Array): void;
  /** Sets a general register, `rip` or `rflags`. */
  register(cpu: number, name: string, value: bigint): void;
}

/** A line of the list of devices. */
export interface DeviceView {
  readonly name: string;
  /** Ports, memory ranges and interrupt lines, as text. */
  readonly resources: string;
}

/** One instruction in a listing. */
export interface DisassembledLine {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** One trace event, decoded. */
export interface TraceLine {
  readonly cycle: Cycle;
  readonly kind: string;
  readonly text: string;
  /** What `text` says, as numbers; see `TRACE_KINDS`. */
  readonly values: readonly [number, number];
}

/** The machine's typed trace. */
export interface TraceView {
  /** The trace hash so far, in hexadecimal. */
  readonly hash: string;
  /** The latest events, oldest first, at most `count`. */
  recent(count: number): readonly TraceLine[];
  /**
   * Calls `listener` with each event as it happens, or with those of `kinds` only; returns how to stop that. The hash does
   * not depend on it.
   */
  onEvent(listener: (event: TraceLine) => void, kinds?: readonly TraceKind[]): () => void;
  /** What the host did for the guest so far, by `tier.name`; not part of the hash. */
  readonly counters: Counts;
  /** Calls `listener` with the counters, as often as the state is digested; returns how to stop that. */
  onCounters(listener: (reading: CounterReading) => void): () => void;
}

/**
 * The virtual network of a machine with a card (option `net`): a switch, and on it the script as a host of its own.
 *
 * ```ts ignore
 * const machine = await createMachine({ kernel: "debian", net: "lan0" });
 * await machine.console.waitFor("# ");
 * machine.console.send("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; echo done\n");
 * await machine.console.waitFor("\ndone");
 * const ping = machine.network!.host.ping(parseIpv4("10.0.2.15"));
 * await machine.run({ forCycles: 100_000_000 as Cycles });
 * console.log(ping.answeredNs! - ping.sentNs, "ns");
 * ```
 */
export interface MachineNetwork {
  /** The switch. Its first port is the script's, the second the card's: count, tap or unplug them. */
  readonly lan: EthernetSwitch;
  /** The script as host 10.0.2.2: answers ARP and echo requests, serves DHCP, sends what it is told. */
  readonly host: ScriptedHost;
}

/** How often a region was left at one instruction for one reason. */
export interface RegionExit {
  readonly reason: ExitReason;
  /** Physical. */
  readonly address: number;
  readonly count: number;
}

/** A region of guest code that the hot tier holds as one WebAssembly function; prints as one line. */
export interface RegionView {
  /** The physical address of its first entry. */
  readonly address: number;
  readonly bits: 32 | 64;
  /** Whether it is code of ring 3. */
  readonly user: boolean;
  readonly blocks: number;
  readonly instructions: number;
  /** How often it was entered, and left by reason, most first; null without `translator: { profile: true }`. */
  readonly executions: number | null;
  readonly exits: readonly RegionExit[] | null;
  /** Guest code, the meaning of each instruction, and with `translator: { profile: true }` the WebAssembly text. */
  text(): Promise<string>;
}

/** What the hot tier has translated, as it stands; empty on other engines. */
export interface TranslationsView {
  /** All regions, the most executed first. */
  list(): readonly RegionView[];
  /** Those that contain the instruction at a linear address of one CPU (default 0). */
  find(address: bigint, cpu?: number): readonly RegionView[];
}

/** An instant to which a machine can go back at once. */
export interface CheckpointView {
  readonly cycle: Cycle;
}

/** How to go back to a hit. */
export type ReverseOptions = Pick<RunOptions, "signal">;

/**
 * Travel in simulated time. A machine is put at a checkpoint and runs from there as it ran before, with the same inputs:
 * nobody inside can tell. Who feeds it something else than before begins another future.
 */
export interface TimeTravel {
  /** The instants to go back to, oldest first. */
  readonly checkpoints: readonly CheckpointView[];
  /** Takes a checkpoint in memory: of what the machine stores to from now on, the old content is kept. */
  checkpoint(): CheckpointView;
  /** Brings the machine to a cycle. Rejects with a `RangeError` if it is before the oldest checkpoint. */
  seek(cycle: Cycle): Promise<void>;
  /**
   * Goes back by `count` (default 1) instructions, deliveries of interrupts, or waits of one CPU (default 0), the others to where
   * they were then. Rejects as {@link seek}.
   */
  reverseStep(count?: number, cpu?: number): Promise<void>;
  /**
   * Goes back to the last instant at which a run would have hit a breakpoint; without one to the oldest checkpoint,
   * and resolves with `limit`. Rejects with a `RangeError` if there is no checkpoint.
   */
  reverseContinue(options?: ReverseOptions): Promise<StopReason>;
  /**
   * Who changed this? Finds the last store to `bytes` bytes (default 1) of guest-physical memory since the oldest
   * checkpoint, by a CPU or a device; `null` if there was none. The machine stays in the present.
   */
  lastWrite(address: PhysicalAddress, bytes?: number): Promise<WriteRecord | null>;
}

/** A store to memory. */
export interface WriteRecord {
  /** The instant behind it. */
  readonly cycle: Cycle;
  readonly cpu: number;
  /** The linear address of the instruction during which it was. */
  readonly address: bigint;
  /** What the bytes were before that instruction, and after it. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** What a debugger works on: a machine, or a domain of a host with its virtual CPUs. */
export type DebugTarget = Pick<
  Machine,
  | "name"
  | "now"
  | "running"
  | "cpus"
  | "memory"
  | "change"
  | "debugger"
  | "run"
  | "interrupt"
  | "disassemble"
>;

/** A machine. Prints as a table of what it is and how it stands. */
export interface Machine extends TimeTravel {
  readonly name: string;
  readonly options: MachineOptions;
  /** The current instant. */
  readonly now: Cycle;
  readonly clock: Clock;
  readonly running: boolean;
  /** Why the last run ended, or `null` before the first. */
  readonly lastStop: StopReason | null;
  readonly console: SerialConsole;
  readonly cpus: readonly CpuView[];
  readonly memory: MemoryView;
  readonly change: StateChanges;
  readonly devices: readonly DeviceView[];
  /** The network that its card is plugged into, or `null` without a card. */
  readonly network: MachineNetwork | null;
  readonly trace: TraceView;
  readonly translations: TranslationsView;
  readonly debugger: Debugger;
  /** Advances simulated time; resolves stopped at an exact cycle. Throws `TypeError` if it runs already. */
  run(options?: RunOptions): Promise<StopReason>;
  /** Asks a running machine to stop soon: what runs it resolves with `aborted`. Else does nothing. */
  interrupt(): void;
  /** Carries out `count` instructions of one CPU (default: one, of CPU 0). */
  step(count?: number, cpu?: number): Promise<StopReason>;
  /** The lines of the text screen, without trailing blanks. */
  screen(): string[];
  /**
   * Runs the machine until its text screen shows `pattern` (lines are joined by newlines), looking every 5 ms
   * of simulated time; resolves with the match. Rejects with an error that quotes the screen if the
   * machine stops, or the simulated time is up, before.
   */
  waitForScreen(pattern: string | RegExp, options?: ScreenWaitOptions): Promise<string>;
  /** Presses keys in turn, by character, name or chord: `a`, `Enter`, `ArrowDown`, `Control+c`. */
  pressKeys(...keys: string[]): void;
  /** Lists instructions from a linear address of one CPU (default: from its RIP). */
  disassemble(address?: bigint, count?: number, cpu?: number): Promise<DisassembledLine[]>;
  /**
   * Samples from now on what the guest executes, at the same instants in every run and tier; neither the guest nor the
   * trace hash depends on it. Ends an earlier profile. Throws `RangeError` if `everyCycles` (default 10,090) is below 1.
   */
  profile(options?: { readonly everyCycles?: number }): GuestProfile;
  snapshot(): SnapshotRecord;
  restore(record: SnapshotRecord): void;
  /**
   * Writes the machine to a file that {@link LoadMachine} reads on any host: kernel, disks and RAM included, but for
   * disks that were given as paths, which it names with their digests. The file replaces an old one in one step.
   * Resolves with the digest by which logs know it.
   */
  save(path: string): Promise<string>;
  /**
   * Writes all that the machine is given from now on to a log that {@link ReplayMachine} reads, as it is given. What it
   * begins from is a snapshot beside it (`path` with `.snapshot`), unless the machine was just switched on with images
   * that its options name. Throws `TypeError` if it is recorded already.
   */
  record(path: string): Promise<Recording>;
}

/** A recording that is under way. */
export interface Recording {
  readonly path: string;
  /** Ends it; the log is whole without that, too. */
  stop(): void;
}

/** How far, and from what, to replay. */
export interface ReplayOptions {
  /** Where to stop; default: where the log ends. */
  readonly to?: Cycle;
  /** The snapshot that the log begins from, if it is not beside it. */
  readonly snapshot?: string;
  readonly name?: string;
  /** As of {@link MachineOptions}: a replay can be sent back. */
  readonly checkpoints?: string;
  readonly signal?: AbortSignal;
  /** Told of the machine before it runs. */
  readonly onStart?: (machine: Machine) => void;
}

/** A replay that has come to where it was wanted. */
export interface Replay {
  readonly machine: Machine;
  /** The last cycle that the log knows of. */
  readonly recordedTo: Cycle;
  /** How often the trace hash was compared with the recorded one, and was the same. */
  readonly checked: number;
  /** Bytes at the log's end that a crash left there in part, and that were left out. */
  readonly tornBytes: number;
}

/**
 * Builds the machine of a log and runs it as it was recorded; the machine can then be run on, with the inputs that are left.
 * Rejects with a `SnapshotError` if the log is altered, does not belong to the snapshot or images, or if the trace hash
 * differs.
 */
export type ReplayMachine = (path: string, options?: ReplayOptions) => Promise<Replay>;

/**
 * Builds the machine of a file that {@link Machine.save} wrote, under its own name if that is free. Rejects with a
 * `SnapshotError` that says what is wrong with a file that is cut short, altered or of another version.
 */
export type LoadMachine = (path: string, options?: { readonly name?: string }) => Promise<Machine>;

/** Builds a machine; rejects with an error that names the option, the value and what is accepted. */
export type CreateMachine = (options: MachineOptions) => Promise<Machine>;
