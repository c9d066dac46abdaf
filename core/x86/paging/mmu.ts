/**
 * The memory management unit of one CPU: from linear addresses to bytes.
 *
 * Engines look translations up in the TLB themselves and come here when that fails: on a miss, on a
 * page that needs care (memory-mapped, watched), on a misaligned access or one that crosses a page.
 * A fault is left pending in the CPU state and reported by a return value of `false` or -1.
 */

import type { MachineMemory } from "../../memory/machine_memory.ts";
import { FRAME_BYTES, FRAME_SHIFT, FrameWatch } from "../../memory/machine_memory.ts";
import { type RadixFormat, WalkOutcome } from "../../memory/radix_walker.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { Care, offsetOf, Status } from "../state/layout.ts";
import { Cr0, Cr4, Efer, Eflags, Exception } from "../state/bits.ts";
import { Access, gatedFrame, type LocalPage, type SecondStage, STACK_ACCESS } from "./access.ts";
import { AccessWatch } from "./access_watch.ts";
import type { DataBreakpoint } from "./data_breakpoints.ts";
import { FieldMover } from "./field_mover.ts";
import * as formats from "./formats.ts";
import { GuestWalker } from "./guest_walker.ts";
import { isRefused, isUserView, Permission } from "./permission.ts";
import { TlbBanks } from "./tlb_banks.ts";
import { DATA_SHIFT, Direct, type TlbBank, TlbBits, type TlbTable, View } from "./tlb.ts";

export { Access, type LocalPage, type SecondStage, STACK_ACCESS };

const FAULT_ADDRESS = offsetOf("faultAddress");
const DATA_TLB = offsetOf("dataTlb");
const CODE_TLB = offsetOf("codeTlb");
const CPL = offsetOf("cpl") >> 2;
const FLAGS = offsetOf("flags") >> 2;
const CR0 = offsetOf("cr0") >> 2;
const CR4 = offsetOf("cr4") >> 2;
const EFER = offsetOf("efer") >> 2;
const STATUS = offsetOf("status") >> 2;
const VECTOR = offsetOf("vector") >> 2;
const ERROR_CODE = offsetOf("errorCode") >> 2;
const HAS_ERROR_CODE = offsetOf("hasErrorCode") >> 2;
const A20_MASK = offsetOf("a20Mask") >> 2;
const RESULT = offsetOf("result");
const ARGUMENT0 = offsetOf("argument0");

/** One CPU's memory management unit. */
export class Mmu {
  /** Finds translations in the guest's page tables. */
  readonly walker: GuestWalker;
  readonly #banks: TlbBanks;
  #bank: TlbBank;
  #format: RadixFormat | null = null;
  readonly #mover: FieldMover;
  /** Whether addresses have 64 bits (EFER.LMA). */
  #wide = false;
  /** What accesses are compared with, by the guest's wish or a debugger's. */
  readonly watch: AccessWatch;

  /** `tlbBase` is the linear offset of TLB_SIZE_BYTES bytes that this CPU's TLBs may use. */
  constructor(
    readonly state: CpuState,
    readonly memory: MachineMemory,
    readonly tlbBase: number,
  ) {
    this.walker = new GuestWalker(state, memory);
    this.#mover = new FieldMover(state, memory);
    this.watch = new AccessWatch(state);
    this.#banks = new TlbBanks(memory.buffer, tlbBase);
    [this.#bank] = this.#banks.all;
    this.#tellBank();
    memory.observe({
      onWatch: (linearPage) => {
        const onlyForCode = memory.watches(linearPage) === FrameWatch.code;
        for (const bank of this.banks) bank.slowWrites(linearPage, onlyForCode);
      },
      onWatchMany: () => {
        const watches = (linearPage: number) => memory.watches(linearPage);
        for (const bank of this.banks) bank.slowWatchedWrites(watches, FrameWatch.code);
      },
      onRemap: () => this.flushEverything(),
    });
    this.modeChanged();
  }

  /** Recomputes what depends on CR0, CR4, EFER, CPL, EFLAGS.AC and the VM id. Call after each change. */
  modeChanged(): void {
    const { cr0, cr4, efer } = this.state;
    this.#format = formats.pagingFormat(cr0, cr4, efer);
    this.#wide = (efer & Efer.LMA) !== 0;
    this.#selectBank();
    this.levelChanged();
  }

  /** As {@link modeChanged} where only CPL and EFLAGS.AC may have changed. */
  levelChanged(): void {
    const { u32 } = this.state;
    const isUser = u32[CPL] === 3;
    const alignmentCheck = (u32[FLAGS] & Eflags.AC) !== 0;
    const view = !isUser
      ? (alignmentCheck ? View.supervisor : this.systemView)
      : alignmentCheck && (u32[CR0] & Cr0.AM) !== 0
      ? View.userAligned
      : View.user;
    const data = this.#bank.data[view].base;
    const code = this.#bank.code[isUser ? 1 : 0].base;
    this.state.setHalves(DATA_TLB, data, Math.floor(data / 0x1_0000_0000));
    this.state.setHalves(CODE_TLB, code, Math.floor(code / 0x1_0000_0000));
  }

  /** The second stage in force, or null on a bare machine. */
  get secondStage(): SecondStage | null {
    return this.walker.secondStage;
  }

  set secondStage(stage: SecondStage | null) {
    this.walker.secondStage = stage;
    this.#takeCare(Care.secondStage, stage !== null);
  }

  /**
   * A page of registers that only this CPU sees (its local APIC), before all shared memory. It calls
   * {@link flushEverything} when the page moves.
   */
  set localDevice(device: LocalPage | null) {
    this.#mover.localDevice = device;
  }

  /** Replaces the data breakpoints; pages that hold one take the slow path from now on. */
  setBreakpoints(breakpoints: readonly DataBreakpoint[]): void {
    if (this.watch.setBreakpoints(breakpoints)) this.flushEverything();
    this.#takeCare(Care.comparisons, this.watch.any);
  }

  #takeCare(bit: number, yes: boolean): void {
    const { state } = this;
    state.care = yes ? state.care | bit : state.care & ~bit;
  }

  /** The TLBs, for those who look from outside; the first bank is that of no virtual machine. */
  get banks(): readonly TlbBank[] {
    return this.#banks.all;
  }

  /** A debugger's stops or watchpoints have changed: what the TLBs hold stays, and is slow where it must be. */
  debuggingChanged(): void {
    this.#takeCare(Care.codeStops, this.watch.seesCode);
    this.#takeCare(Care.comparisons, this.watch.any);
    for (const bank of this.banks) {
      bank.data.forEach((table, view) =>
        table.eachValid((at, low, high) =>
          table.setDirect(at, this.#direct(low, high, table.frame(at), table.bits(at), view))
        )
      );
    }
  }

  /** The view of implicit supervisor accesses: descriptor tables, task state segments. */
  get systemView(): number {
    return (this.state.u32[CR4] & Cr4.SMAP) !== 0 ? View.supervisorSmap : View.supervisor;
  }

  /** The view of ordinary data accesses at the present CPL. */
  get view(): number {
    return (this.state.i32[DATA_TLB >> 2] - this.bankBase) >>> DATA_SHIFT;
  }

  /** Linear offset of the TLBs of the current VM id. */
  get bankBase(): number {
    return this.#bank.data[0].base;
  }

  /** Drops all translations of the current VM id; global pages stay if `keepGlobal`. */
  flush(keepGlobal: boolean): void {
    this.#bank.flush(keepGlobal);
  }

  /** Drops the translations of the page that holds the address (INVLPG). */
  flushPage(low: number, high: number): void {
    this.#bank.drop(low, high);
  }

  /** Drops all translations of all VM ids. */
  flushEverything(): void {
    this.#mover.findLocalFrame();
    for (const bank of this.banks) bank.flush(false);
  }

  /**
   * Translates an address for one access. Returns the guest-physical (behind a second stage: machine) page
   * number, or -1 with a #PF pending. `view` is one of View.
   */
  translate(low: number, high: number, access: number, view: number): number {
    const table = this.#table(access, view);
    const at = table.find(low, high);
    if (at >= 0 && (access !== Access.write || (table.bits(at) & TlbBits.writable) !== 0)) {
      return table.frame(at);
    }
    return this.#fillTlb(table, low, high, access, view);
  }

  /**
   * Reads `size` bytes (1, 2, 4, 8 or 16; plus STACK_ACCESS) at a linear address into the state's
   * `result` field, zero-extended to 16 bytes. Returns false with an exception pending on a fault.
   */
  readSlow(low: number, high: number, size: number): boolean {
    const bytes = size & 0xff;
    const u32 = this.state.u32;
    const result = RESULT >> 2;
    u32[result] =
      u32[result + 1] =
      u32[result + 2] =
      u32[result + 3] =
        0;
    const done = this.#check(low, high, size, Access.read) &&
      this.#transfer(low, high, bytes, Access.read, this.view, RESULT);
    if (done) this.watch.operand(low, high, bytes, false);
    return done;
  }

  /** Writes `size` bytes of the state's `argument0` field to a linear address; see {@link readSlow}. */
  writeSlow(low: number, high: number, size: number): boolean {
    const done = this.#check(low, high, size, Access.write) &&
      this.#transfer(low, high, size & 0xff, Access.write, this.view, ARGUMENT0);
    if (!done) return false;
    this.watch.operand(low, high, size & 0xff, true);
    this.#restoreFastWrites(low, high);
    return true;
  }

  /** As readSlow, but fails unless the bytes could also be written: the load of a read-modify-write. */
  readForWriteSlow(low: number, high: number, size: number): boolean {
    if (!this.#check(low, high, size, Access.write)) return false;
    const last = addLow(low, (size & 0xff) - 1);
    if (this.translate(low, high, Access.write, this.view) < 0) return false;
    if (((low ^ last) & 0xfffff000) !== 0) {
      const carry = last >>> 0 < low >>> 0 ? 1 : 0;
      if (this.translate(last & 0xfffff000, high + carry | 0, Access.write, this.view) < 0) {
        return false;
      }
    }
    return this.readSlow(low, high, size);
  }

  /**
   * Reads 1, 2 or 4 bytes through `view`, for system code. Returns -1 with an exception pending on a
   * fault; the value is unsigned.
   */
  readSystem(low: number, high: number, size: 1 | 2 | 4, view: number): number {
    const offset = low & 0xfff;
    if (offset + size <= FRAME_BYTES) {
      const linearPage = this.#bank.data[view].readablePage(low, high);
      if (linearPage >= 0 && size === 4 && (low & 3) === 0) {
        return this.memory.word(linearPage, offset) >>> 0;
      }
      const page = this.translate(low, high, Access.read, view);
      if (page < 0) return -1;
      this.watch.linear(low, high, size, false);
      this.watch.load(page, offset, size);
      return this.memory.read(page * FRAME_BYTES + offset, size);
    }
    const u32 = this.state.u32;
    u32[RESULT >> 2] = 0;
    if (!this.#transfer(low, high, size, Access.read, view, RESULT)) return -1;
    this.watch.linear(low, high, size, false);
    return u32[RESULT >> 2];
  }

  /** Writes 1, 2 or 4 bytes through `view`, for system code; false with an exception pending on a fault. */
  writeSystem(low: number, high: number, size: 1 | 2 | 4, value: number, view: number): boolean {
    const offset = low & 0xfff;
    if (offset + size <= FRAME_BYTES) {
      const page = this.translate(low, high, Access.write, view);
      if (page < 0) return false;
      this.memory.write(page * FRAME_BYTES + offset, size, value);
      this.watch.linear(low, high, size, true);
      return true;
    }
    this.state.u32[ARGUMENT0 >> 2] = value;
    if (!this.#transfer(low, high, size, Access.write, view, ARGUMENT0)) return false;
    this.watch.linear(low, high, size, true);
    return true;
  }

  /** Finds the physical address for fetching from a linear address; -1 with an exception pending. */
  fetchAddress(low: number, high: number): number {
    if (!this.#canonical(high)) {
      this.#raise(Exception.GP, 0);
      return -1;
    }
    const page = this.translate(low, high, Access.fetch, this.state.cpl === 3 ? View.user : 0);
    return page < 0 ? -1 : page * FRAME_BYTES + (low & 0xfff);
  }

  /**
   * Linear offset that an ordinary data access to (low, high) may use directly, for instructions that move
   * many bytes at once; -1 if the TLB has no such translation, which the plain path will then enter.
   */
  directLinear(low: number, high: number, write: boolean): number {
    const table = this.#bank.data[this.view];
    const page = write ? table.writablePage(low, high) : table.readablePage(low, high);
    return page < 0 ? -1 : page * FRAME_BYTES + (low & 0xfff);
  }

  /**
   * Where a linear address leads, for those who look from outside: no fault, no A or D bit, no TLB entry. -1
   * if it is not mapped. The result is guest-physical.
   */
  peek(low: number, high: number): number {
    if (this.#format === null) {
      const frame = gatedFrame(low >>> FRAME_SHIFT, this.state.a20Mask);
      return frame * FRAME_BYTES + (low & 0xfff);
    }
    return this.walker.peek(this.#format, low, high);
  }

  #table(access: number, view: number): TlbTable {
    return access === Access.fetch
      ? this.#bank.code[view === View.user ? 1 : 0]
      : this.#bank.data[view];
  }

  /** Bits 63..47 of an address must be equal in long mode; elsewhere addresses have 32 bits. */
  #canonical(high: number): boolean {
    return !this.#wide || (high << 16) >> 16 === high;
  }

  #check(low: number, high: number, size: number, access: number): boolean {
    const bytes = size & 0xff;
    if (!this.#canonical(high)) return this.#raiseNonCanonical(size);
    // 16-byte operands that must be aligned are checked by their instructions, with #GP.
    if (this.view === View.userAligned && bytes <= 8 && (low & (bytes - 1)) !== 0) {
      this.#raise(Exception.AC, 0);
      return false;
    }
    const lastHigh = (low >>> 0) + bytes - 1 > 0xffffffff ? (high + 1) | 0 : high;
    if (!this.#canonical(lastHigh)) return this.#raiseNonCanonical(size);
    return access >= 0;
  }

  #raiseNonCanonical(size: number): false {
    this.#raise((size & STACK_ACCESS) !== 0 ? Exception.SS : Exception.GP, 0);
    return false;
  }

  /** Moves bytes between memory and the state's field at offset `field`. */
  #transfer(
    low: number,
    high: number,
    bytes: number,
    access: number,
    view: number,
    field: number,
  ): boolean {
    const room = FRAME_BYTES - (low & 0xfff);
    const page = this.translate(low, high, access, view);
    if (page < 0) return false;
    if (bytes <= room) {
      this.#move(page, low & 0xfff, bytes, access, field);
      return true;
    }
    let nextLow = addLow(low, room);
    let nextHigh = nextLow === 0 ? (high + 1) | 0 : high;
    if (!this.#wide) nextHigh = 0;
    nextLow &= 0xfffff000;
    const nextPage = this.translate(nextLow, nextHigh, access, view);
    if (nextPage < 0) return false;
    this.#move(page, low & 0xfff, room, access, field);
    this.#move(nextPage, 0, bytes - room, access, field + room);
    return true;
  }

  #move(page: number, offset: number, bytes: number, access: number, field: number): void {
    this.#mover.move(page, offset, bytes, access, field);
    if (access === Access.read) this.watch.load(page, offset, bytes);
  }

  /** A page whose watch has ended since its entry was made need not go through the slow path any more. */
  #restoreFastWrites(low: number, high: number): void {
    if (this.view === View.userAligned) return;
    const table = this.#bank.data[this.view];
    const at = table.find(low, high);
    if (at < 0 || (table.bits(at) & TlbBits.writable) === 0) return;
    const page = table.frame(at);
    const linearPage = this.memory.writeMap[page] ?? -1;
    if (linearPage < 0 || linearPage !== this.memory.readMap[page]) return;
    if (this.#mover.localFrame === page || this.watch.isOnPage(low, high, page)) return;
    const watches = this.memory.watches(linearPage);
    if (watches === 0) table.fastWrites(at);
    else if (watches === FrameWatch.code) table.slowWritesForCode(at);
  }

  /** Walks, checks permissions, sets A and D, enters the result. */
  #fillTlb(table: TlbTable, low: number, high: number, access: number, view: number): number {
    let page: number;
    let bits: number = TlbBits.writable;
    if (this.#format === null) {
      page = low >>> FRAME_SHIFT;
    } else {
      bits = this.#walkGuest(low, high, access, view);
      if (bits < 0) return -1;
      page = this.walker.walk.frameOf(low);
    }
    const { secondStage } = this.walker;
    if (secondStage !== null) {
      const machine = secondStage.translate(page * FRAME_BYTES, access);
      if (machine < 0) return this.#refused();
      page = Math.floor(machine / FRAME_BYTES);
      // It was asked about this kind of access only: the first store asks again.
      if (access !== Access.write) bits &= ~TlbBits.writable;
    }
    page = gatedFrame(page, this.state.u32[A20_MASK]);
    let linearPage = this.#linearPage(page);
    let direct = 0;
    if (access !== Access.fetch) direct = this.#direct(low, high, page, bits, view);
    else if (linearPage >= 0) {
      direct = Direct.loads;
      this.watch.codePage(low, high, linearPage);
      linearPage = this.memory.codeHomes.of(linearPage);
    }
    table.fill(low, high, page, bits, linearPage, direct);
    return page;
  }

  /** The page of linear memory that loads from a physical one go to, or -1 if it is none of memory's. */
  #linearPage(page: number): number {
    return page === this.#mover.localFrame ? -1 : this.memory.readMap[page] ?? -1;
  }

  /** What may bypass the slow path through a data translation with these TlbBits: bits of {@link Direct}. */
  #direct(low: number, high: number, page: number, bits: number, view: number): number {
    const linearPage = this.#linearPage(page);
    const isSlow = linearPage < 0 || view === View.userAligned ||
      this.watch.isOnPage(low, high, page);
    if (isSlow) return 0;
    const mayStore = (bits & TlbBits.writable) !== 0 && this.memory.writeMap[page] === linearPage;
    if (!mayStore) return Direct.loads;
    const watches = this.memory.watches(linearPage);
    if (watches === 0) return Direct.loads | Direct.stores;
    return watches === FrameWatch.code ? Direct.loads | Direct.storesBesideCode : Direct.loads;
  }

  /** Returns TlbBits (writable, global) or -1 with #PF pending; the walker holds the frame. */
  #walkGuest(low: number, high: number, access: number, view: number): number {
    const { u32 } = this.state;
    const cr0 = u32[CR0];
    const cr4 = u32[CR4];
    const efer = u32[EFER];
    const { walk } = this.walker;
    const format = this.#format!;
    const outcome = this.walker.find(format, low, high);
    const user = isUserView(view);
    let error = (access === Access.write ? 2 : 0) | (user ? 4 : 0);
    const nxe = (efer & Efer.NXE) !== 0;
    if (access === Access.fetch && ((nxe && format.entryBytes === 8) || (cr4 & Cr4.SMEP) !== 0)) {
      error |= 16;
    }
    if (outcome === WalkOutcome.refused) return this.#refused();
    if (outcome !== WalkOutcome.mapped) {
      return this.#pageFault(low, high, outcome === WalkOutcome.reserved ? error | 9 : error);
    }
    if (isRefused(walk, access, view, cr0, cr4, nxe)) return this.#pageFault(low, high, error | 1);
    if (!this.walker.setAccessed(format, access === Access.write)) return this.#refused();
    const dirty = (walk.low[walk.depth - 1] & 0x40) !== 0 || access === Access.write;
    const mayWrite = (walk.allLow & Permission.writable) !== 0 || (!user && (cr0 & Cr0.WP) === 0);
    const global = (cr4 & Cr4.PGE) !== 0 && (walk.low[walk.depth - 1] & 0x100) !== 0;
    return (mayWrite && dirty ? TlbBits.writable : 0) | (global ? TlbBits.global : 0);
  }

  #refused(): -1 {
    this.state.status = Status.refused;
    return -1;
  }

  #pageFault(low: number, high: number, error: number): -1 {
    this.state.setHalves(FAULT_ADDRESS, low, high);
    this.#raise(Exception.PF, error);
    return -1;
  }

  #raise(vector: number, error: number): void {
    const { u32 } = this.state;
    u32[STATUS] = Status.exception;
    u32[VECTOR] = vector;
    u32[ERROR_CODE] = error;
    u32[HAS_ERROR_CODE] = 1;
  }

  #selectBank(): void {
    const bank = this.#banks.select(this.state.vmId);
    if (bank === this.#bank) return;
    this.#bank = bank;
    this.#tellBank();
  }

  #tellBank(): void {
    this.state.tlbBank = BigInt(this.bankBase);
  }
}

function addLow(low: number, add: number): number {
  return (low + add) | 0;
}
