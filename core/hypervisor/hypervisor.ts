/**
 * The hypervisor: its mechanisms put together, and the life of its domains.
 *
 * Mechanisms are typed operations on objects (`tables.pin`, `events.send`); `hypercalls/` decodes registers into them,
 * and toolstacks call them directly. Nothing a guest does throws; what cannot be made sense of crashes its domain.
 */

import { ERRNO, type Errno } from "../abi/errno.ts";
import type { DomainId, MachineFrame, VcpuId } from "../abi/ids.ts";
import { SHUTDOWN, type ShutdownReason } from "../abi/operations.ts";
import { TWO_LEVEL } from "../abi/event_channel.ts";
import { SHARED_INFO, VCPU_INFO, VCPU_INFO_BYTES, XEN_LEGACY_MAX_VCPUS } from "../abi/xen.ts";
import { type Cycle, type MachineClock, mulDivFloor } from "../clock/clock.ts";
import { invariant } from "../lib/assert.ts";
import type { Snapshot, SnapshotRecord } from "../lib/snapshot.ts";
import type { MachineMemory } from "../memory/machine_memory.ts";
import type { CostName } from "../clock/profiles/cost_profile.ts";
import type { Trace, TraceKind } from "../trace/trace.ts";
import type { Processors } from "../x86/processors.ts";
import type { Ledger } from "./accounting/ledger.ts";
import { Domain, type DomainOptions, type DomainShape } from "./domain.ts";
import { EventChannels, type FramePlace } from "./event_channels/mod.ts";
import { MachineFrameMemory } from "./frame_memory.ts";
import { GrantTables } from "./grant_tables/mod.ts";
import { restoreHypervisor, saveHypervisor } from "./hypervisor_snapshot.ts";
import { FrameFlag, FrameTable, FrameType } from "./memory/frame_table.ts";
import { timeInfo, writeWallClock } from "./guest_time.ts";
import { grantPorts } from "./memory/grant_ports.ts";
import { LogDirty } from "./memory/log_dirty.ts";
import type { GuestSpace } from "./memory/guest_space.ts";
import { MachineMap } from "./memory/machine_map.ts";
import { PageTypes } from "./memory/page_types.ts";
import { Reservations } from "./memory/reservations.ts";
import { TlbFlushes } from "./memory/tlb_flushes.ts";
import { GuestTables } from "./pv/guest_tables.ts";
import type { Policy, PolicyCheck } from "./policy.ts";
import type { Dispatcher, Executor } from "./scheduling/ports.ts";
import { UpcallWords } from "./upcall_words.ts";
import { VcpuTimers } from "./vcpu_timers.ts";
import { Watchdogs } from "./watchdogs.ts";
import { Vcpu } from "./vcpu.ts";

const FRAME_BYTES = 4096;
/** `max_event_channels`, `max_grant_frames` and `max_maptrack_frames` of a domain, as xl has them. */
const MAX_PORT = 1023;
const MAX_GRANT_FRAMES = 64;
const MAX_HANDLES = 1024 * 512;

/** What a hypervisor is put on. */
export interface HypervisorPorts {
  readonly memory: MachineMemory;
  readonly processors: Processors;
  readonly clock: MachineClock;
  readonly dispatcher: Dispatcher;
  /** Prices the hypervisor's work, and keeps the bills. */
  readonly ledger: Ledger;
  readonly trace: Trace;
  /** Runs the virtual CPUs of paravirtual domains. */
  readonly executor: Executor;
  /** Seconds since 1970 at cycle 0. */
  readonly wallClockSeconds: number;
  /** What domains may do to each other besides what the ABI says; left out, everything. */
  readonly policy?: Policy;
  /** Takes what a domain writes by `console_io`. */
  emergencyConsole(domain: DomainId, bytes: Uint8Array): void;
  /** A line of the hypervisor's own log. */
  log(text: string): void;
  /** A domain has shut down, or its virtual CPUs were all taken down. */
  onShutdown(domain: Domain): void;
}

/** The hypervisor of one machine. */
export class Hypervisor implements Snapshot {
  readonly memory: MachineFrameMemory;
  readonly frames: FrameTable;
  readonly flushes: TlbFlushes;
  readonly types: PageTypes;
  readonly map: MachineMap;
  readonly tables: GuestTables;
  readonly reservations: Reservations;
  readonly logDirty: LogDirty;
  readonly events: EventChannels;
  readonly grants: GrantTables;
  readonly upcalls: UpcallWords;
  readonly timers: VcpuTimers;
  readonly watchdogs: Watchdogs;
  readonly domains = new Map<DomainId, Domain>();
  /** The number that the next domain gets, unless one has it: none comes twice. */
  nextId = 1;

  constructor(readonly ports: HypervisorPorts) {
    const { memory: machine, processors } = ports;
    this.memory = new MachineFrameMemory(machine);
    this.upcalls = new UpcallWords(this.memory);
    this.frames = new FrameTable(
      frameCount(machine),
      (frame) => machine.readMap[frame] >= 0 && machine.writeMap[frame] >= 0,
    );
    this.flushes = new TlbFlushes(() =>
      processors.cpus.forEach(({ mmu }) => mmu.flushEverything())
    );
    this.map = new MachineMap(this.memory, this.frames);
    const { memory, frames, flushes, map } = this;
    this.types = new PageTypes({
      memory,
      frames,
      flushes,
      spaceOf: (id) => this.spaceOf(id),
      fillTable: (table, type, id) => {
        const { model, area } = this.#domain(id);
        map.fillTable(table, type, model, area);
      },
    });
    frames.onFree = (frame) => {
      frames.stamp[frame] = flushes.stamp;
      map.clearPfn(frame);
    };
    this.tables = new GuestTables(this);
    this.logDirty = new LogDirty(
      machine,
      frames,
      map,
      () => this.dispatcher.current?.domain ?? null,
    );
    this.reservations = new Reservations(memory, frames, this.types, map, this.logDirty);
    const allows = (check: PolicyCheck) => ports.policy?.allows(check) ?? true;
    this.events = new EventChannels({
      memory,
      notify: (domain, vcpu) => this.#notify(domain, vcpu),
      wakePoller: (domain, vcpu) => this.timers.endPoll(this.#domain(domain).vcpus[vcpu]),
      takeFrame: (domain, frame) =>
        this.types.get(frame, FrameType.writable, domain) === 0
          ? frame as number as MachineFrame
          : null,
      dropFrame: (domain, frame) => this.types.put(frame, domain),
      allows,
    });
    this.grants = new GrantTables({ ...grantPorts(this), allows });
    this.timers = new VcpuTimers(this);
    this.watchdogs = new Watchdogs(ports.clock, (domain) => this.shutDown(domain, "watchdog"));
  }

  get dispatcher(): Dispatcher {
    return this.ports.dispatcher;
  }

  /** What the address space of a domain is like. */
  spaceOf(id: DomainId): GuestSpace {
    return this.#domain(id).space;
  }

  /** Nanoseconds since the machine started: the guests' system time. */
  systemTimeNs(): number {
    return mulDivFloor(this.dispatcher.now, 1_000_000_000, this.ports.clock.frequencyHz);
  }

  /** The first cycle at which system time is at least `ns`. */
  cycleOfSystemTime(ns: number): Cycle {
    return this.ports.clock.cycleOfTick(Math.min(ns, 2 ** 52), 1_000_000_000);
  }

  /** Makes a domain without memory, paused; `null` if the machine has no memory for its own needs. */
  createDomain(options: DomainOptions): Domain {
    const id = this.#freeId();
    const sharedInfo = this.frames.allocateShared(id);
    if (sharedInfo === null) throw new RangeError("the machine has no memory left for a domain");
    this.memory.writeBytes(sharedInfo, 0, new Uint8Array(FRAME_BYTES));
    const area = this.map.createArea(options.vcpus, options.model ?? "lp64");
    const domain = new Domain(id, options, sharedInfo, area);
    this.#enter(domain);
    writeWallClock(this.memory, sharedInfo, domain.model, this.ports.wallClockSeconds);
    for (const vcpu of domain.vcpus) {
      if (vcpu.info === null) continue;
      this.#writeTime(vcpu);
      // Events are masked until the kernel has handlers.
      this.upcalls.mask(vcpu, true);
    }
    this.grants.attach({
      id,
      privileged: options.privileged,
      maxFrames: MAX_GRANT_FRAMES,
      maxHandles: MAX_HANDLES,
    });
    return domain;
  }

  /**
   * Makes a domain of a record, paused, which takes and writes no memory: its frames, its grant table and all its state are
   * there once {@link restore} has been called. `executor` is as in {@link DomainOptions}.
   */
  adoptDomain({ id, sharedInfo, area, ...shape }: DomainShape, executor?: Executor): Domain {
    const domain = new Domain(id, { ...shape, executor }, sharedInfo, area);
    this.#enter(domain);
    return domain;
  }

  /** Stops a domain for good and takes back what it has. */
  destroyDomain(domain: Domain): void {
    invariant(this.domains.get(domain.id) === domain, `${domain.name} was destroyed before`);
    for (const vcpu of domain.vcpus) {
      this.dispatcher.remove(vcpu.sched);
      this.timers.release(vcpu);
      this.tables.releaseAll(vcpu);
      this.#dropInfo(vcpu);
    }
    this.watchdogs.release(domain);
    this.flushes.all();
    this.events.detach(domain.id);
    this.grants.detach(domain.id);
    const { frames, types } = this;
    const own = [...frames.framesOf(domain.id)];
    for (const frame of own) {
      if ((frames.flags[frame] & FrameFlag.pinned) === 0) continue;
      frames.flags[frame] &= ~FrameFlag.pinned;
      types.put(frame, domain.id);
    }
    frames.releaseShared(domain.sharedInfo);
    for (const frame of own) frames.releaseAllocation(frame);
    this.map.destroyArea(domain.area);
    this.logDirty.forget(domain.id);
    this.ports.ledger.forget(domain.id);
    this.domains.delete(domain.id);
  }

  /** Keeps a domain's virtual CPUs from running until {@link unpause} was called as often. */
  pause(domain: Domain): void {
    if (domain.pauses++ > 0) return;
    for (const vcpu of domain.vcpus) if (vcpu.up) this.dispatcher.offline(vcpu.sched);
  }

  unpause(domain: Domain): void {
    invariant(domain.pauses > 0, `${domain.name} is not paused`);
    if (--domain.pauses > 0 || domain.shutdown !== null) return;
    for (const vcpu of domain.vcpus) if (vcpu.up) this.dispatcher.online(vcpu.sched);
  }

  /** `SCHEDOP_shutdown`, or the end that a crash is. */
  shutDown(domain: Domain, reason: ShutdownReason): void {
    if (domain.shutdown !== null) return;
    domain.shutdown = domain.shutdownCode ?? reason;
    this.note("shutdown", SHUTDOWN[domain.shutdown], domain.id);
    for (const vcpu of domain.vcpus) this.dispatcher.offline(vcpu.sched);
    this.ports.processors.requestStop();
    this.ports.onShutdown(domain);
  }

  /** The guest did what nothing can be made of. */
  crash(vcpu: Vcpu, message: string): void {
    const { domain } = vcpu;
    if (domain.shutdown !== null) return;
    domain.crashMessage = `${vcpu.name}: ${message}`;
    this.ports.log(`domain ${domain.id} (${domain.name}) crashed: ${domain.crashMessage}`);
    this.shutDown(domain, "crash");
  }

  /** `SCHEDOP_block`: events are let in, and unless one waits the virtual CPU rests until one comes. */
  block(vcpu: Vcpu): void {
    this.upcalls.mask(vcpu, false);
    if (this.upcalls.pending(vcpu) || vcpu.takesNmi) return;
    this.dispatcher.block(vcpu.sched);
    this.ports.processors.requestStop();
  }

  /** `VCPUOP_up`. */
  bringUp(vcpu: Vcpu): void {
    if (vcpu.up) return;
    vcpu.up = true;
    const { domain } = vcpu;
    if (domain.pauses === 0 && domain.shutdown === null) this.dispatcher.online(vcpu.sched);
  }

  /** `VCPUOP_down`; a domain whose last virtual CPU goes down has shut down. */
  takeDown(vcpu: Vcpu): void {
    if (!vcpu.up) return;
    vcpu.up = false;
    this.dispatcher.offline(vcpu.sched);
    this.ports.processors.requestStop();
    if (vcpu.domain.vcpus.every(({ up }) => !up)) this.shutDown(vcpu.domain, "poweroff");
  }

  /** `VCPUOP_send_nmi`, and `xl trigger ... nmi`: enters its kernel's handler of vector 2, whatever it masks. */
  sendNmi(vcpu: Vcpu): void {
    vcpu.nmiPending = true;
    this.timers.endPoll(vcpu);
    this.dispatcher.wake(vcpu.sched);
  }

  /** `VCPUOP_register_vcpu_info`: moves the virtual CPU's words to a frame of the guest's, once. */
  registerInfo(vcpu: Vcpu, frame: number, offset: number): 0 | Errno {
    if (offset > FRAME_BYTES - VCPU_INFO_BYTES || offset % 8 !== 0) return ERRNO.EINVAL;
    if (vcpu.info !== null && vcpu.info.frame !== vcpu.domain.sharedInfo) return ERRNO.EINVAL;
    const { id, model, sharedInfo } = vcpu.domain;
    // The shared page has a place of its own for each; a move within it would be no move.
    if (frame === sharedInfo) return ERRNO.EINVAL;
    const places = VCPU_INFO[model];
    if (this.types.get(frame, FrameType.writable, id) !== 0) return ERRNO.EINVAL;
    const place: FramePlace = { frame: frame as MachineFrame, offset };
    const words = new Uint8Array(VCPU_INFO_BYTES);
    if (vcpu.info) this.memory.readBytes(vcpu.info.frame, vcpu.info.offset, words);
    // One who never had any begins with events masked.
    else words[places.upcall_mask] = 1;
    // Whatever came before the move is looked at again.
    words[places.upcall_pending] = 1;
    words.fill(0xff, places.pending_sel, places.pending_sel + TWO_LEVEL[model].wordBits / 8);
    this.memory.writeBytes(place.frame, offset, words);
    vcpu.info = place;
    this.#writeTime(vcpu);
    return 0;
  }

  /** Drops every translation that a domain's virtual CPUs may have left on a CPU. */
  flushDomain(domain: Domain): void {
    for (const { loadedOn } of domain.vcpus) {
      if (loadedOn >= 0) this.ports.processors.cpus[loadedOn].mmu.flushEverything();
    }
  }

  /** Drops the translations of one page. */
  flushDomainPage(domain: Domain, low: number, high: number): void {
    for (const { loadedOn } of domain.vcpus) {
      if (loadedOn >= 0) this.ports.processors.cpus[loadedOn].mmu.flushPage(low, high);
    }
  }

  /** Bills a domain for one unit of work done for it, and for the page-table entries checked on the way. */
  bill(domain: DomainId, cost: CostName): void {
    const { ledger, processors } = this.ports;
    let cycles: number = ledger.charge(domain, cost);
    const entries = this.types.takeWork();
    if (entries > 0) cycles += ledger.charge(domain, "pageTableUpdate", entries);
    if (cycles > 0) processors.spend(cycles);
  }

  /** Notes an event of the hypervisor in the machine's trace. */
  note(kind: TraceKind, a: number, b: number): void {
    this.ports.trace.emit(this.dispatcher.now, kind, a, b);
  }

  save(): SnapshotRecord {
    return saveHypervisor(this);
  }

  restore(record: SnapshotRecord): void {
    restoreHypervisor(this, record);
  }

  #freeId(): DomainId {
    while (this.domains.has(this.nextId as DomainId)) this.nextId++;
    return this.nextId++ as DomainId;
  }

  #domain(id: DomainId): Domain {
    const domain = this.domains.get(id);
    invariant(domain, `there is no domain ${id}`);
    return domain;
  }

  /** Makes a new domain, with its virtual CPUs, known to dispatcher, timers and event channels. */
  #enter(domain: Domain): void {
    const { id, model, options, sharedInfo } = domain;
    domain.pauses = 1;
    this.domains.set(id, domain);
    this.watchdogs.attach(domain);
    for (let i = 0; i < options.vcpus; i++) this.#createVcpu(domain, i as VcpuId);
    this.events.attach({
      id,
      model,
      vcpuCount: options.vcpus,
      privileged: options.privileged,
      maxPort: MAX_PORT,
      sharedInfo,
      vcpuInfo: (vcpu) => domain.vcpus[vcpu]?.info ?? null,
    });
  }

  #createVcpu(domain: Domain, id: VcpuId): void {
    const { sharedInfo } = domain;
    const info = id < XEN_LEGACY_MAX_VCPUS
      ? { frame: sharedInfo, offset: SHARED_INFO[domain.model].vcpu_info + id * VCPU_INFO_BYTES }
      : null;
    const vcpu = new Vcpu(domain, id, info);
    const executor = domain.options.executor ?? this.ports.executor;
    vcpu.sched = this.dispatcher.add({ domain: domain.id, id, executor });
    this.timers.attach(vcpu);
    domain.vcpus.push(vcpu);
  }

  #dropInfo(vcpu: Vcpu): void {
    const { info, domain } = vcpu;
    vcpu.info = null;
    if (info && info.frame !== domain.sharedInfo) this.types.put(info.frame, domain.id);
  }

  #notify(id: DomainId, vcpu: VcpuId): void {
    const target = this.#domain(id).vcpus[vcpu];
    this.timers.endPoll(target);
    this.dispatcher.wake(target.sched);
  }

  #writeTime({ info, domain }: Vcpu): void {
    const { frequencyHz } = this.ports.clock;
    if (info === null) return;
    const at = info.offset + VCPU_INFO[domain.model].time;
    this.memory.writeBytes(info.frame, at, timeInfo(frequencyHz));
  }
}

/** Frame numbers up to the last frame of RAM. */
function frameCount({ plan }: MachineMemory): number {
  const high = plan.ramBytes - plan.lowRamBytes;
  return high > 0 ? 0x10_0000 + high / FRAME_BYTES : plan.lowRamBytes / FRAME_BYTES;
}
