/**
 * A machine: processors, memory, board and time in one object, driven by scripts.
 *
 * Simulated time advances only in {@link PcMachine.run} and {@link PcMachine.step}; whatever is fed in from
 * outside (console text, keys) is recorded in the trace with its cycle.
 */

import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import type { SnapshotRecord, SnapshotValue } from "../../core/lib/snapshot.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { MachineMemory } from "../../core/memory/machine_memory.ts";
import { CounterStream } from "../../core/trace/counters.ts";
import { Trace } from "../../core/trace/trace.ts";
import { HotEngine } from "../../core/translate/mod.ts";
import { ApicBus } from "../../core/x86/apic/mod.ts";
import { cpuModel } from "../../core/x86/model/mod.ts";
import { Processors } from "../../core/x86/processors.ts";
import { PcBoard } from "../../devices/board/mod.ts";
import { MachineDebugger } from "../debugger/machine_debugger.ts";
import { stopReasonOf } from "../debugger/stop_list.ts";
import type {
  CheckpointView,
  CpuView,
  DeviceView,
  DisassembledLine,
  Machine,
  MachineNetwork,
  MachineOptions,
  MemoryView,
  Recording,
  ReverseOptions,
  RunOptions,
  ScreenWaitOptions,
  SerialConsole,
  StateChanges,
  StopReason,
  TraceView,
  TranslationsView,
  WriteRecord,
} from "../machine_api.ts";
import { DEFAULT_SAMPLE_CYCLES, GuestProfile } from "../profile/guest_profile.ts";
import type { LoggedInput } from "../replay/input_journal.ts";
import { Recorder } from "../replay/recorder.ts";
import type { RamSource } from "../snapshot/page_store.ts";
import { type MachineToSave, writeSnapshotFile } from "../snapshot/snapshot_file.ts";
import { TimeMachine } from "../time_travel/time_machine.ts";
import { Timeline } from "../time_travel/timeline.ts";
import { QUANTUM_CYCLES, runSlices, SLICE_CYCLES, type Sliced } from "../run_slices.ts";
import { printAs } from "../tables.ts";
import { describeMachine } from "../views.ts";
import { wasmHost } from "../wasm_host.ts";
import { CpuWindow } from "./cpu_view.ts";
import { makeNetwork } from "./network.ts";
import { disassembleAt } from "./disassembly.ts";
import { describeFault } from "./fault_description.ts";
import type { MachineImages } from "../machine_images.ts";
import { InputDoor } from "./input_door.ts";
import { keysOf } from "./keys.ts";
import { MachineState } from "./machine_state.ts";
import { memoryPlan } from "./memory_plan.ts";
import { MemoryWindow } from "./memory_window.ts";
import { waitForScreen } from "./screen_wait.ts";
import { MachineConsole } from "./serial_console.ts";
import type { MachineParts } from "./parts.ts";
import { registersDigest } from "./state_digest.ts";
import { TraceWindow } from "./trace_window.ts";
import { TranslationsWindow } from "./translations_window.ts";

/** A digest of all registers enters the trace each time so many cycles have passed. */
const STATE_DIGEST_CYCLES = 10_000_000;

/** The machine that {@link createMachine} gives. */
export class PcMachine implements Machine {
  readonly name: string;
  readonly options: MachineOptions;
  /** What the options name, as it was read. */
  readonly images: MachineImages;
  readonly clock = new MachineClock();
  readonly network: MachineNetwork | null;
  readonly board: PcBoard;
  readonly processors: Processors;
  readonly cpus: readonly CpuView[];
  readonly change: StateChanges;
  readonly memory: MemoryView;
  readonly timeline: Timeline;
  readonly trace: TraceView;
  readonly translations: TranslationsView;
  readonly #trace = new Trace();
  readonly #counters = new CounterStream();
  readonly #io = new IoSpace();
  readonly #memory: MachineMemory;
  readonly #console: MachineConsole;
  readonly #state: MachineState;
  readonly #inputs: InputDoor;
  readonly #travel: TimeMachine;
  readonly #sliced: Sliced = {
    now: () => this.now,
    isInterrupted: () => this.#interrupted,
    slice: (limit) => this.#slice(limit),
    flush: () => this.#console.flush(),
  };
  readonly #origin: Pick<MachineParts, "start" | "kernelCode">;
  #running = false;
  #interrupted = false;
  #lastStop: StopReason | null = null;
  /** Made when it is first asked for. */
  #debugger: MachineDebugger | null = null;
  #recorder: Recorder | null = null;
  #profile: GuestProfile | undefined;
  /** Told of each cycle at which a digest of the state has entered the trace. */
  onStateDigest: (cycle: Cycle) => void = () => {};
  /** What a device asked for; acted upon when the slice ends. */
  #wanted: StopReason | null = null;

  constructor(parts: MachineParts) {
    const { options, memoryBytes, cpus } = parts;
    this.name = parts.name;
    this.options = options;
    this.images = parts.images;
    this.#origin = parts;
    const { plan, linearBytes } = memoryPlan(memoryBytes, cpus);
    const linear = wasmHost.createMemory(linearBytes);
    this.#memory = new MachineMemory(linear.buffer, plan);
    const bus = new ApicBus();
    this.#console = new MachineConsole({
      clock: this.clock,
      run: (options) => this.run(options),
      receive: (bytes) => this.#inputs.feed({ kind: "console", bytes: bytes.slice() }),
    });
    const { net = "none" } = options;
    this.network = net === "none"
      ? null
      : makeNetwork(net, this.clock, (input) => this.#inputs.feed({ kind: "network", input }));
    this.board = new PcBoard({
      clock: this.clock,
      ports: this.#io,
      memory: this.#memory,
      messages: bus,
      onInterrupt: (level) => bus.setExternalInterrupt(level),
      onNmi: (level) => bus.setNmi(level),
      power: {
        powerOff: () => this.#want({ kind: "powerOff" }),
        reset: () => this.#want({ kind: "reset" }),
        exit: (code) => this.#want({ kind: "exit", code }),
      },
      onA20: (open) => this.#setA20(open),
      options: {
        apicIds: Array.from({ length: cpus }, (_, i) => i),
        ramBytes: memoryBytes,
        lowRamBytes: plan.lowRamBytes,
        com1: (byte) => this.#transmitted(byte),
        ...parts.board(this.network),
      },
    });
    bus.onEoi = (vector) => this.board.ioapic.eoi(vector);
    bus.externalController = this.board.pic;
    const model = cpuModel(options.cpuModel).with({
      cores: cpus,
      frequencyHz: this.clock.frequencyHz,
    });
    this.processors = new Processors({
      count: cpus,
      model,
      engine: options.engine ?? "hot",
      translator: (parts) => new HotEngine(parts, options.translator),
      passes: options.translator?.passes,
      host: wasmHost,
      linear,
      memory: this.#memory,
      io: this.#io,
      clock: this.clock,
      bus,
      trace: this.#trace,
      acknowledgePic: () => this.board.pic.acknowledge(),
    });
    this.#counters.add(this.processors.engine.name, () => this.processors.engine.counters);
    this.trace = new TraceWindow(this.#trace, this.#counters);
    this.translations = new TranslationsWindow(this.processors, this.#memory);
    this.#io.onAccess = (write, port, value) => {
      this.#trace.emit(this.now, write ? "portWrite" : "portRead", port, value);
      this.#debugger?.list.portAccess(port);
    };
    this.cpus = this.processors.cpus.map((cpu) => new CpuWindow(cpu));
    this.memory = new MemoryWindow(this.#memory, this.processors.cpus);
    const { name, clock, board, network, processors } = this;
    const [memory, trace, console] = [this.#memory, this.#trace, this.#console];
    const state = this.#state = new MachineState(
      { name, clock, memory, processors, board, network, trace, console },
      options.quantumCycles ?? QUANTUM_CYCLES,
    );
    const restored = () => this.#restored();
    const timeline = this.timeline = new Timeline(
      { clock, processors, memory, state, restored },
      parts.checkpointBytes,
    );
    this.#inputs = new InputDoor({ clock, processors, board, memory, network, trace, timeline });
    this.change = this.#inputs.changes;
    this.#travel = new TimeMachine({
      name,
      clock,
      processors,
      timeline,
      memory,
      search: {
        cpus: this.cpus,
        memory: this.memory,
        withOnlyStop: (stop, body) => this.debugger.list.whileOnly(stop, body),
      },
      exclusively: (body) => this.#exclusively(body),
      tellers: () => [
        trace,
        console,
        this.#counters,
        this.network?.lan,
        this.#profile,
        this.#debugger?.list,
      ],
      advance: (options) => this.#run(options),
      awaiting: (cpu, at, body) => this.debugger.list.whileAwaiting(cpu, at, body),
      stoppedAt: (hits) => this.#debugger?.list.count(hits),
      withoutStops: (body) => this.#debugger ? this.#debugger.list.whileIgnored(body) : body(),
    });
    this.#origin.start(this);
  }

  get now(): Cycle {
    return this.clock.reached;
  }

  get running(): boolean {
    return this.#running;
  }

  get lastStop(): StopReason | null {
    return this.#lastStop;
  }

  get console(): SerialConsole {
    return this.#console;
  }

  /** RAM, for loaders; scripts use the read-only {@link memory}. */
  get machineMemory(): MachineMemory {
    return this.#memory;
  }

  get debugger(): MachineDebugger {
    return this.#debugger ??= new MachineDebugger({
      machine: this,
      control: this.processors.debugging,
      memory: this.#memory,
      cpus: this.processors.cpus,
      views: this.cpus,
      running: () => this.#running,
      now: () => this.now,
      kernelCode: this.#origin.kernelCode,
    });
  }

  get devices(): readonly DeviceView[] {
    return this.board.listing();
  }

  async run(options: RunOptions = {}): Promise<StopReason> {
    return await this.#exclusively(async () => this.#lastStop = await this.#run(options));
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  async step(count = 1, cpu = 0): Promise<StopReason> {
    if (this.#running) throw new TypeError(`machine ${this.name} is running already`);
    if (!this.cpus[cpu]) throw new RangeError(`machine ${this.name} has no CPU ${cpu}`);
    let stop: StopReason = { kind: "limit" };
    for (let i = 0; i < count && stop.kind === "limit"; i++) {
      stop = this.cpus.length === 1
        ? await this.run({ untilCycle: this.#travel.nextBoundary })
        : await this.debugger.stepInto(cpu);
    }
    return stop;
  }

  screen(): string[] {
    return this.board.vga.screen();
  }

  async waitForScreen(pattern: string | RegExp, options?: ScreenWaitOptions): Promise<string> {
    return await waitForScreen(this, pattern, options);
  }

  pressKeys(...keys: string[]): void {
    for (const chord of keys.map(keysOf)) this.#inputs.feed({ kind: "keys", keys: chord });
  }

  async disassemble(address?: bigint, count = 8, cpu = 0): Promise<DisassembledLine[]> {
    return await disassembleAt(this, address, count, cpu);
  }

  profile({ everyCycles = DEFAULT_SAMPLE_CYCLES } = {}): GuestProfile {
    const profile = new GuestProfile(
      this.#origin.kernelCode(),
      this.clock.frequencyHz,
      everyCycles,
      () => this.processors.unobserve(profile),
    );
    this.processors.observe(profile);
    return this.#profile = profile;
  }

  snapshot(): SnapshotRecord {
    return this.#state.save();
  }

  restore(record: SnapshotRecord, ram?: RamSource): void {
    if (this.#running) throw new TypeError(`machine ${this.name} is running: interrupt it first`);
    this.#endRecording(this.#recorder);
    this.#state.restore(record, ram);
    this.timeline.forget();
    this.#restored();
  }

  async save(path: string): Promise<string> {
    return await this.#exclusively(() => writeSnapshotFile(path, this.toSave()));
  }

  /** What a file of it is made of. */
  toSave(): MachineToSave {
    const { name, options, images, timeline: { journal } } = this;
    const inputs = journal.since(journal.had) as unknown as SnapshotValue;
    const [memory, state] = [this.#memory, this.#state.saveWithoutRam()];
    return { name, options, images, memory, state, inputs };
  }

  async record(path: string): Promise<Recording> {
    if (this.#recorder) throw new TypeError(`machine ${this.name} is recorded already`);
    const recorder = this.#recorder = await Recorder.begin(path, this);
    return { path, stop: () => this.#endRecording(recorder) };
  }

  #endRecording(recorder: Recorder | null): void {
    recorder?.stop();
    if (this.#recorder === recorder) this.#recorder = null;
  }

  checkpoint(): CheckpointView {
    if (this.#running) throw new TypeError(`machine ${this.name} is running already`);
    return this.#travel.checkpoint();
  }

  get checkpoints(): readonly CheckpointView[] {
    return this.#travel.checkpoints;
  }

  async seek(cycle: Cycle): Promise<void> {
    await this.#travel.seek(cycle);
  }

  async reverseStep(count?: number, cpu?: number): Promise<void> {
    await this.#travel.reverseStep(count, cpu);
  }

  async reverseContinue(options?: ReverseOptions): Promise<StopReason> {
    return await this.#travel.reverseContinue(options);
  }

  /** The machine is elsewhere now. */
  #restored(): void {
    this.#inputs.moved();
    this.#wanted = null;
    this.#debugger?.list.forget();
    this.#inputs.carryOut();
  }

  async lastWrite(address: PhysicalAddress, bytes?: number): Promise<WriteRecord | null> {
    return await this.#travel.lastWrite(address, bytes);
  }

  /** Gives it the inputs that it, or the machine that it goes on from, was to have. */
  expectInputs(inputs: readonly LoggedInput[]): void {
    for (const { cycle, input } of inputs) this.timeline.journal.add(cycle, input);
    this.#inputs.carryOut();
  }

  /** The machine's only run. */
  async #exclusively<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#running) throw new TypeError(`machine ${this.name} is running already`);
    this.#running = true;
    this.#interrupted = false;
    try {
      return await run();
    } finally {
      this.#running = false;
      this.#console.flush();
    }
  }

  async #run(options: RunOptions): Promise<StopReason> {
    return await runSlices(this.#sliced, options, this.#console);
  }

  /** Advances by one slice; returns why the run must end, or `null`. */
  #slice(limit: number): StopReason | null {
    const { clock, processors, timeline } = this;
    const told = this.#debuggerStop();
    if (told) return told;
    const from = this.now;
    if (from >= limit) return { kind: "limit" };
    if (!processors.stopped) timeline.tick();
    const digest = (Math.floor(from / STATE_DIGEST_CYCLES) + 1) * STATE_DIGEST_CYCLES;
    const quantum = this.cpus.length === 1 ? SLICE_CYCLES : this.#state.quantumCycles;
    let to = Math.min(clock.nextDeadline, timeline.journal.nextCycle);
    if (processors.idle) {
      const shut = processors.shutDown;
      if (shut) return { kind: "tripleFault", description: describeFault(shut) };
      if (Math.min(to, limit) === Infinity || this.#isHalted()) return { kind: "halted" };
      processors.endTurn();
      to = Math.min(to, digest, limit);
    } else {
      to = processors.run(from, Math.max(from + 1, Math.min(to, digest, from + quantum)), limit);
      if (processors.stopped) return null;
    }
    return this.#inputs.after(() => {
      clock.advanceTo(to as Cycle);
      clock.runDue();
      if (clock.now >= digest) this.#digestState();
      this.#debugger?.list.afterEvents(this.now);
      const stop = this.#stopNow();
      if (stop?.kind === "reset") this.#reset();
      return stop;
    });
  }

  /** What the debugger has stopped for, if it has. Throws what a condition of its stops threw. */
  #debuggerStop(): StopReason | null {
    const met = this.#debugger?.list.take();
    return met ? stopReasonOf(met) : null;
  }

  /** Whether no device can wake a CPU, whatever timers are armed. */
  #isHalted(): boolean {
    return this.processors.deaf && !this.board.ioapic.sendsUnmaskable;
  }

  #stopNow(): StopReason | null {
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted) return wanted;
    const shut = this.processors.shutDown;
    return shut ? { kind: "tripleFault", description: describeFault(shut) } : null;
  }

  #want(stop: StopReason): void {
    this.#wanted ??= stop;
    this.processors?.requestStop();
  }

  #reset(): void {
    this.board.reset();
    this.processors.reset();
    this.#origin.start(this);
  }

  #setA20(open: boolean): void {
    const mask = open ? 0xffffffff : 0xffefffff;
    const others = this.processors?.cpus.filter(({ state }) => state.a20Mask !== mask) ?? [];
    for (const cpu of others) {
      cpu.state.a20Mask = mask;
      cpu.mmu.flushEverything();
    }
    if (others.length > 0) this.processors.engine.invalidate();
  }

  #transmitted(byte: number): void {
    this.#console.transmit(byte);
    this.processors.requestStop();
  }

  #digestState(): void {
    const digest = registersDigest(this.processors.cpus);
    this.#trace.emit(this.now, "state", digest.low, digest.high);
    this.#counters.tell(this.now);
    this.#recorder?.mark();
    this.onStateDigest(this.now);
  }
}

printAs(PcMachine.prototype, describeMachine);
