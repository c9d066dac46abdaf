/**
 * The owner of ring 0 while paravirtual guests run: every trap, system call and sensitive instruction of the guest in
 * rings 1 to 3 comes here and becomes a hypercall, an emulated instruction, or an exception of the guest's own kernel.
 */

import { HYPERCALL_VECTOR, TI, XEN_EMULATE_PREFIX } from "../../abi/arch_x86.ts";
import { HYPERCALL } from "../../abi/hypercalls.ts";
import type { DataModel } from "../../abi/struct_layout.ts";
import type { Cpu, Ring0Owner, Trap } from "../../x86/cpu.ts";
import { Efer, Exception } from "../../x86/state/bits.ts";
import { offsetOf, Status } from "../../x86/state/layout.ts";
import { readFlags } from "../../x86/system/mod.ts";
import { isLong } from "../../x86/system/mode.ts";
import { Segment, segmentBase } from "../../x86/system/segment_fields.ts";
import type { CostName } from "../../clock/profiles/cost_profile.ts";
import type { MachineMap } from "../memory/machine_map.ts";
import type { GuestAccess } from "../memory/guest_access.ts";
import type { UpcallWords } from "../upcall_words.ts";
import { NMI_VECTOR, type Vcpu } from "../vcpu.ts";
import type { GuestTables } from "./guest_tables.ts";
import type { Entry, KernelSwitch, SwitchOutcome } from "./kernel_switch.ts";
import { mayUsePorts, PRIVILEGED, setTaskSwitched } from "./privileged.ts";
import { pvCpuid } from "./pv_cpuid.ts";
import type { TableWrites } from "./table_writes.ts";

const RIP = offsetOf("rip");
const NEXT_RIP = offsetOf("nextRip");
const RAX = offsetOf("rax");
const RCX = offsetOf("rcx");
const R11 = offsetOf("r11");
const FAULT_ADDRESS = offsetOf("faultAddress");
const TWO_32 = 0x1_0000_0000;
const PAGE_BYTES = 4096;
/** Bytes of the LDT's part of a virtual CPU's descriptor area. */
const LDT_AREA_BYTES = 16 * PAGE_BYTES;
/** Bits of a page fault's error code. */
const PageFault = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16 } as const;
/** `cpuid` after {@link XEN_EMULATE_PREFIX}. */
const EMULATED_CPUID: readonly number[] = [...XEN_EMULATE_PREFIX, 0x0f, 0xa2];
/** Bytes of SYSCALL and of INT n. */
const CALL_BYTES = 2;
/** The vector of programs' system calls, which a 32-bit guest's kernel takes without the hypervisor. */
const FAST_TRAP_VECTOR = 0x80;
/** The opcode of CLI. */
const CLI = 0xfa;

/** What traps of one physical CPU lead to. */
export interface PvCpuParts {
  readonly guest: GuestAccess;
  readonly switching: Readonly<Record<DataModel, KernelSwitch>>;
  readonly upcalls: UpcallWords;
  readonly tables: GuestTables;
  readonly tableWrites: TableWrites;
  readonly map: MachineMap;
  /** Carries out hypercall `number` with its arguments in registers; the result goes to RAX. */
  hypercall(vcpu: Vcpu, number: number): void;
  /** Bills the virtual CPU's domain for the hypervisor's work, and lets the time pass. */
  bill(vcpu: Vcpu, cost: CostName): void;
  /** The guest did what nothing can be made of. */
  crash(vcpu: Vcpu, message: string): void;
}

/**
 * Ring 0 of one physical CPU.
 *
 * @deviation INT 0x80 of a 32-bit guest's program costs what it would through a direct gate, as the paper's fast
 * handlers have it, though long mode has no such gates to 32-bit code; Xen 4.17's `set_trap_table`.
 */
export class PvCpu implements Ring0Owner {
  /** The virtual CPU whose registers are on the CPU, or `null`. */
  vcpu: Vcpu | null = null;

  constructor(private readonly parts: PvCpuParts) {}

  /** Before the guest goes on: an NMI, or an event that waits and is not masked, enters its kernel. */
  deliverUpcall(cpu: Cpu, vcpu: Vcpu): void {
    if (vcpu.takesNmi) {
      vcpu.nmiPending = false;
      vcpu.nmiActive = true;
      return this.#inject(cpu, vcpu, NMI_VECTOR, -1);
    }
    const { upcalls } = this.parts;
    if (upcalls.masked(vcpu) || !upcalls.pending(vcpu)) return;
    const { event } = vcpu.callbacks;
    if (event.address !== 0) this.#enter(cpu, vcpu, { ...event, masksEvents: true, errorCode: -1 });
  }

  trap(cpu: Cpu, trap: Trap): boolean {
    const { vcpu } = this;
    if (vcpu === null || trap.kind === "external" || trap.kind === "nmi") return true;
    noteRing(cpu, vcpu);
    if (trap.kind === "software") {
      if (this.#isHypercall(vcpu, trap.vector)) return this.#hypercall(cpu, vcpu);
      if (!vcpu.permitsSoftwareInterrupt(trap.vector)) return false;
    }
    cpu.state.status = Status.none;
    cpu.state.inhibit = 0;
    const { vector, errorCode } = trap;
    if (vector === Exception.PF && trap.kind === "fault") this.#pageFault(cpu, vcpu, errorCode);
    else if (vector === Exception.UD && this.#emulateCpuid(cpu, vcpu)) return true;
    else if (vector === Exception.GP && this.#skipCli(cpu, vcpu)) return true;
    else {
      if (vector === Exception.NM) setTaskSwitched(cpu, vcpu, false);
      this.#inject(cpu, vcpu, vector, errorCode, isFastTrap(vcpu, trap));
    }
    this.deliverUpcall(cpu, vcpu);
    return true;
  }

  intercept(cpu: Cpu, instruction: string): boolean {
    const { vcpu } = this;
    if (vcpu === null) return false;
    noteRing(cpu, vcpu);
    if (instruction === "syscall") return this.#systemCall(cpu, vcpu);
    if (instruction === "cpuid") {
      pvCpuid(cpu, vcpu);
      return true;
    }
    if (!vcpu.kernelMode) return false;
    const privileged = PRIVILEGED.get(instruction);
    if (privileged === undefined || !privileged(cpu, vcpu)) return false;
    this.parts.bill(vcpu, "hypercall");
    return true;
  }

  /** Makes the hypercall that is being carried out start again when the guest next runs. */
  restartHypercall(cpu: Cpu): void {
    const { state } = cpu;
    const low = state.u32[RIP >> 2] - CALL_BYTES;
    state.setHalves(RIP, low, low < 0 ? state.high(RIP) - 1 : state.high(RIP));
  }

  /** SYSCALL: a hypercall from the kernel, a system call from a program. RIP is that of the next instruction then. */
  #systemCall(cpu: Cpu, vcpu: Vcpu): boolean {
    const { state } = cpu;
    const long = isLong(cpu);
    // Compatibility mode: only AMD's CPUs have it there, and only for programs.
    if (!long && (cpu.model.behaviour === "intel" || vcpu.kernelMode)) return false;
    if ((state.efer & Efer.SCE) === 0) return false;
    const [low, high] = [state.low(NEXT_RIP), state.high(NEXT_RIP)];
    state.setHalves(RIP, low, high);
    state.setHalves(RCX, low, high);
    state.setHalves(R11, readFlags(state), 0);
    if (!vcpu.kernelMode) {
      const callback = long ? vcpu.callbacks.syscall : vcpu.callbacks.syscall32;
      this.#enter(cpu, vcpu, { ...callback, errorCode: -1 });
      this.deliverUpcall(cpu, vcpu);
    } else this.#hypercall(cpu, vcpu);
    state.setHalves(NEXT_RIP, state.low(RIP), state.high(RIP));
    return true;
  }

  #isHypercall({ domain, kernelMode }: Vcpu, vector: number): boolean {
    return domain.model === "ilp32" && kernelMode && vector === HYPERCALL_VECTOR;
  }

  /** The hypercall whose number is in (R)AX; RIP is behind the instruction. */
  #hypercall(cpu: Cpu, vcpu: Vcpu): true {
    const { state } = cpu;
    if (state.low(RAX) !== HYPERCALL.iret) this.parts.hypercall(vcpu, state.u32[RAX >> 2]);
    else {
      vcpu.nmiActive = false;
      this.#settle(vcpu, this.parts.switching[vcpu.domain.model].returnFromKernel(cpu, vcpu));
    }
    this.parts.bill(vcpu, "hypercall");
    if (vcpu.sched.state === "running") this.deliverUpcall(cpu, vcpu);
    return true;
  }

  #pageFault(cpu: Cpu, vcpu: Vcpu, errorCode: number): void {
    const { state } = cpu;
    const low = state.low(FAULT_ADDRESS);
    const high = state.high(FAULT_ADDRESS);
    const address = high * TWO_32 + (low >>> 0);
    if ((errorCode & PageFault.user) === 0 && this.#descriptorFault(cpu, vcpu, address)) return;
    const stores = PageFault.present | PageFault.write;
    const mayBeTable = vcpu.kernelMode && (errorCode & ~PageFault.user) === stores;
    if (mayBeTable && this.parts.tableWrites.emulate(cpu, vcpu, address, errorCode)) {
      this.parts.bill(vcpu, "trapBounce");
      this.#injectPending(cpu, vcpu);
      return;
    }
    this.#injectPageFault(cpu, vcpu, low, high, errorCode);
  }

  /** What the emulated instruction raised, if anything, goes to the guest's kernel. */
  #injectPending(cpu: Cpu, vcpu: Vcpu): void {
    const { state } = cpu;
    const raised = state.status === Status.exception;
    state.status = Status.none;
    if (!raised) return;
    const { vector } = state;
    const errorCode = state.hasErrorCode === 1 ? state.errorCode : -1;
    if (vector !== Exception.PF) this.#inject(cpu, vcpu, vector, errorCode);
    else {
      const [low, high] = [state.low(FAULT_ADDRESS), state.high(FAULT_ADDRESS)];
      this.#injectPageFault(cpu, vcpu, low, high, errorCode);
    }
  }

  /**
   * The CPU could not read a descriptor: a page of the LDT is brought in and the instruction tried again, or the
   * fault becomes one at the place where the guest has its LDT. True if the fault is dealt with.
   */
  #descriptorFault(cpu: Cpu, vcpu: Vcpu, address: number): boolean {
    const offset = address - this.parts.map.ldtAddress(vcpu.id);
    if (offset < 0 || offset >= LDT_AREA_BYTES) return false;
    if (this.parts.tables.mapLdtPage(vcpu, Math.floor(offset / PAGE_BYTES))) return true;
    const place = vcpu.ldt.address + offset;
    this.#injectPageFault(cpu, vcpu, place | 0, Math.floor(place / TWO_32), 0);
    return true;
  }

  #injectPageFault(cpu: Cpu, vcpu: Vcpu, low: number, high: number, errorCode: number): void {
    vcpu.cr2 = high * TWO_32 + (low >>> 0);
    this.parts.upcalls.setCr2(vcpu, low, high);
    const { user } = PageFault;
    // To the CPU, a 64-bit kernel is a user, too.
    const code = vcpu.kernelMode ? errorCode & ~user : errorCode | user;
    this.#inject(cpu, vcpu, Exception.PF, code);
  }

  /** `ud2a; .ascii "xen"; cpuid`. */
  #emulateCpuid(cpu: Cpu, vcpu: Vcpu): boolean {
    const bytes = new Uint8Array(EMULATED_CPUID.length);
    if (!this.parts.guest.read(codeAddress(cpu), bytes)) return false;
    if (!EMULATED_CPUID.every((byte, i) => bytes[i] === byte)) return false;
    pvCpuid(cpu, vcpu);
    skip(cpu, bytes.length);
    return true;
  }

  /** CLI is the one privileged instruction that engines carry out without asking. */
  #skipCli(cpu: Cpu, vcpu: Vcpu): boolean {
    if (!vcpu.kernelMode || !mayUsePorts(vcpu)) return false;
    const byte = new Uint8Array(1);
    if (!this.parts.guest.read(codeAddress(cpu), byte) || byte[0] !== CLI) return false;
    skip(cpu, byte.length);
    return true;
  }

  #inject(cpu: Cpu, vcpu: Vcpu, vector: number, errorCode: number, isFast = false): void {
    const { cs, address, flags } = vcpu.traps[vector];
    if (address === 0) {
      const { state } = cpu;
      const rip = state.rip.toString(16);
      const code = errorCode < 0 ? "" : `, error code 0x${errorCode.toString(16)}`;
      const place = vector === Exception.PF ? ` at 0x${state.faultAddress.toString(16)}` : "";
      this.parts.crash(vcpu, `vector ${vector}${place} at RIP 0x${rip}${code} has no handler`);
      return;
    }
    const masksEvents = (flags & TI.EVENT_MASK) !== 0;
    this.#enter(cpu, vcpu, { cs, address, masksEvents, errorCode }, isFast);
  }

  #enter(cpu: Cpu, vcpu: Vcpu, entry: Entry, isFast = false): void {
    if (!isFast) this.parts.bill(vcpu, "trapBounce");
    this.#settle(vcpu, this.parts.switching[vcpu.domain.model].enterKernel(cpu, vcpu, entry));
  }

  #settle(vcpu: Vcpu, outcome: SwitchOutcome): void {
    if (outcome !== "done") this.parts.crash(vcpu, outcome.crash);
  }
}

/** A 32-bit guest's kernel is whatever runs in ring 1: it may return to its programs by its own IRET. */
function noteRing({ state }: Cpu, vcpu: Vcpu): void {
  if (vcpu.domain.model === "ilp32") vcpu.kernelMode = state.cpl === 1;
}

/** A program's system call that goes to its kernel without the hypervisor; see the class. */
function isFastTrap({ domain, kernelMode }: Vcpu, { kind, vector }: Trap): boolean {
  return domain.model === "ilp32" && !kernelMode && kind === "software" &&
    vector === FAST_TRAP_VECTOR;
}

/** The linear address of the instruction at RIP. */
function codeAddress(cpu: Cpu): number {
  const { state } = cpu;
  const rip = state.high(RIP) * TWO_32 + state.u32[RIP >> 2];
  return isLong(cpu) ? rip : (segmentBase(state, Segment.cs) + rip) % TWO_32;
}

/** Goes on `bytes` behind the instruction at RIP. */
function skip(cpu: Cpu, bytes: number): void {
  const { state } = cpu;
  const next = state.high(RIP) * TWO_32 + state.u32[RIP >> 2] + bytes;
  state.setHalves(RIP, next | 0, isLong(cpu) ? Math.floor(next / TWO_32) : 0);
}
