/**
 * The owner of ring 0 while paravirtual guests run: every trap, system call and sensitive instruction of the guest in
 * ring 3 comes here and becomes a hypercall, an emulated instruction, or an exception of the guest's own kernel.
 */

import { TI, XEN_EMULATE_PREFIX } from "../../abi/arch_x86.ts";
import { HYPERCALL } from "../../abi/hypercalls.ts";
import type { Cpu, Ring0Owner, Trap } from "../../x86/cpu.ts";
import { Efer, Exception } from "../../x86/state/bits.ts";
import { offsetOf, Status } from "../../x86/state/layout.ts";
import { readFlags } from "../../x86/system/mod.ts";
import { isLong } from "../../x86/system/mode.ts";
import type { CostName } from "../../clock/profiles/cost_profile.ts";
import type { MachineMap } from "../memory/machine_map.ts";
import type { GuestAccess } from "../memory/guest_access.ts";
import type { UpcallWords } from "../upcall_words.ts";
import { NMI_VECTOR, type Vcpu } from "../vcpu.ts";
import type { GuestTables } from "./guest_tables.ts";
import type { PrivilegeSwitch, SwitchOutcome } from "./privilege_switch.ts";
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
const SYSCALL_BYTES = 2;
/** The opcode of CLI. */
const CLI = 0xfa;

/** What traps of one physical CPU lead to. */
export interface PvCpuParts {
  readonly guest: GuestAccess;
  readonly switching: PrivilegeSwitch;
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

/** Ring 0 of one physical CPU. */
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
    const { address } = vcpu.callbacks.event;
    if (address !== 0) this.#enter(cpu, vcpu, address, true, -1);
  }

  trap(cpu: Cpu, trap: Trap): boolean {
    const { vcpu } = this;
    if (vcpu === null || trap.kind === "external" || trap.kind === "nmi") return true;
    if (trap.kind === "software" && !vcpu.permitsSoftwareInterrupt(trap.vector)) return false;
    cpu.state.status = Status.none;
    cpu.state.inhibit = 0;
    const { vector, errorCode } = trap;
    if (vector === Exception.PF && trap.kind === "fault") this.#pageFault(cpu, vcpu, errorCode);
    else if (vector === Exception.UD && this.#emulateCpuid(cpu, vcpu)) return true;
    else if (vector === Exception.GP && this.#skipCli(cpu, vcpu)) return true;
    else {
      if (vector === Exception.NM) setTaskSwitched(cpu, vcpu, false);
      this.#inject(cpu, vcpu, vector, errorCode);
    }
    this.deliverUpcall(cpu, vcpu);
    return true;
  }

  intercept(cpu: Cpu, instruction: string): boolean {
    const { vcpu } = this;
    if (vcpu === null) return false;
    if (instruction === "syscall") return this.#systemCall(cpu, vcpu);
    if (instruction === "cpuid") {
      pvCpuid(cpu, vcpu.id);
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
    const low = state.u32[RIP >> 2] - SYSCALL_BYTES;
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
      this.#enter(cpu, vcpu, callback.address, callback.masksEvents, -1);
    } else {
      if (state.low(RAX) !== HYPERCALL.iret) this.parts.hypercall(vcpu, state.u32[RAX >> 2]);
      else {
        vcpu.nmiActive = false;
        this.#settle(vcpu, this.parts.switching.returnFromKernel(cpu, vcpu));
      }
      this.parts.bill(vcpu, "hypercall");
    }
    if (vcpu.sched.state === "running") this.deliverUpcall(cpu, vcpu);
    state.setHalves(NEXT_RIP, state.low(RIP), state.high(RIP));
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
    const code = vcpu.kernelMode ? errorCode & ~PageFault.user : errorCode | PageFault.user;
    this.#inject(cpu, vcpu, Exception.PF, code);
  }

  /** `ud2a; .ascii "xen"; cpuid`. */
  #emulateCpuid(cpu: Cpu, vcpu: Vcpu): boolean {
    const { state } = cpu;
    const bytes = new Uint8Array(EMULATED_CPUID.length);
    const rip = state.high(RIP) * TWO_32 + state.u32[RIP >> 2];
    if (!this.parts.guest.read(rip, bytes)) return false;
    if (!EMULATED_CPUID.every((byte, i) => bytes[i] === byte)) return false;
    pvCpuid(cpu, vcpu.id);
    const next = rip + bytes.length;
    state.setHalves(RIP, next | 0, Math.floor(next / TWO_32));
    return true;
  }

  /** CLI is the one privileged instruction that engines carry out without asking. */
  #skipCli(cpu: Cpu, vcpu: Vcpu): boolean {
    if (!vcpu.kernelMode || !mayUsePorts(vcpu)) return false;
    const { state } = cpu;
    const byte = new Uint8Array(1);
    const rip = state.high(RIP) * TWO_32 + state.u32[RIP >> 2];
    if (!this.parts.guest.read(rip, byte) || byte[0] !== CLI) return false;
    state.setHalves(RIP, (rip + 1) | 0, Math.floor((rip + 1) / TWO_32));
    return true;
  }

  #inject(cpu: Cpu, vcpu: Vcpu, vector: number, errorCode: number): void {
    const { address, flags } = vcpu.traps[vector];
    if (address === 0) {
      const { state } = cpu;
      const rip = state.rip.toString(16);
      const code = errorCode < 0 ? "" : `, error code 0x${errorCode.toString(16)}`;
      const place = vector === Exception.PF ? ` at 0x${state.faultAddress.toString(16)}` : "";
      this.parts.crash(vcpu, `vector ${vector}${place} at RIP 0x${rip}${code} has no handler`);
      return;
    }
    this.#enter(cpu, vcpu, address, (flags & TI.EVENT_MASK) !== 0, errorCode);
  }

  #enter(
    cpu: Cpu,
    vcpu: Vcpu,
    address: number,
    masksEvents: boolean,
    errorCode: number,
  ): void {
    this.parts.bill(vcpu, "trapBounce");
    const entry = { address, masksEvents, errorCode };
    this.#settle(vcpu, this.parts.switching.enterKernel(cpu, vcpu, entry));
  }

  #settle(vcpu: Vcpu, outcome: SwitchOutcome): void {
    if (outcome !== "done") this.parts.crash(vcpu, outcome.crash);
  }
}
