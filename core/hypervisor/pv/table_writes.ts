/**
 * Writable page tables: a guest kernel may store into its page tables as if they were writable.
 *
 * The store faults, since tables are mapped read-only. The faulting instruction is then carried out by the reference
 * engine, whose memory is replaced for this one page: what it would have stored becomes a checked update of the
 * entry. So every instruction that can store does, with its flags and its results, and there is no second reading
 * of the instruction set.
 *
 * @deviation Stores into tables of every level are carried out, where Xen does so for the last level alone: GNU Mach 1.8
 * makes one into a level-2 table when it starts; Xen 4.17's `vm_assist`, `VMASST_TYPE_writable_pagetables`.
 */

import type { DomainId, MachineFrame } from "../../abi/ids.ts";
import type { Cpu } from "../../x86/cpu.ts";
import type { EvaluationPort } from "../../x86/ir/evaluate.ts";
import type { ReferenceEngine } from "../../x86/reference/reference_engine.ts";
import { Exception } from "../../x86/state/bits.ts";
import type { CpuState } from "../../x86/state/cpu_state.ts";
import { offsetOf, Status } from "../../x86/state/layout.ts";
import type { FrameMemory } from "../frame_memory.ts";
import { type FrameTable, levelOf, type TableType } from "../memory/frame_table.ts";
import { ENTRY_BYTES, frameOf, Pte } from "../memory/page_table_entry.ts";
import type { PageTypes } from "../memory/page_types.ts";
import { lastLevelEntry } from "../memory/table_walk.ts";
import type { Vcpu } from "../vcpu.ts";

const ARGUMENT0 = offsetOf("argument0");
const SIZE_MASK = 0xff;

/** What stores into page tables need. */
export interface TableWriteParts {
  readonly memory: FrameMemory;
  readonly frames: FrameTable;
  readonly types: PageTypes;
  readonly reference: ReferenceEngine;
}

/** The memory of one instruction that stores into a page table. */
class TablePort implements EvaluationPort {
  readonly state: CpuState;

  constructor(
    private readonly inner: EvaluationPort,
    private readonly parts: TableWriteParts,
    private readonly table: MachineFrame,
    private readonly type: TableType,
    private readonly domain: DomainId,
    /** The page of linear memory through which the table is seen. */
    private readonly page: bigint,
    private readonly errorCode: number,
  ) {
    this.state = inner.state;
  }

  load(linear: bigint, size: number, forWrite: boolean): boolean {
    return this.inner.load(linear, size, forWrite && linear >> 12n !== this.page);
  }

  store(linear: bigint, size: number): boolean {
    if (linear >> 12n !== this.page) return this.inner.store(linear, size);
    const offset = Number(linear & 0xfffn);
    const bytes = size & SIZE_MASK;
    const entryAt = offset & ~(ENTRY_BYTES - 1);
    if (offset + bytes > entryAt + ENTRY_BYTES) return this.#refuse(linear);
    const { memory, types } = this.parts;
    const entry = new Uint8Array(ENTRY_BYTES);
    memory.readBytes(this.table, entryAt, entry);
    entry.set(this.state.u8.subarray(ARGUMENT0, ARGUMENT0 + bytes), offset - entryAt);
    const view = new DataView(entry.buffer);
    const low = view.getInt32(0, true);
    const high = view.getInt32(4, true);
    const index = entryAt / ENTRY_BYTES;
    const failed = types.replaceEntry(this.table, this.type, index, low, high, this.domain);
    return failed === 0 || this.#refuse(linear);
  }

  system(name: string): boolean {
    return this.inner.system(name);
  }

  #refuse(linear: bigint): boolean {
    const { state } = this;
    state.faultAddress = BigInt.asUintN(64, linear);
    state.status = Status.exception;
    state.vector = Exception.PF;
    state.hasErrorCode = 1;
    state.errorCode = this.errorCode;
    return false;
  }
}

/** Carries out stores into page tables. */
export class TableWrites {
  constructor(private readonly parts: TableWriteParts) {}

  /**
   * Carries out the instruction at RIP, which faulted when it stored at `address`. Returns false if that address
   * is no table of the guest that is in use. Afterwards an exception may be pending in the state, as after any instruction.
   */
  emulate(cpu: Cpu, vcpu: Vcpu, address: number, errorCode: number): boolean {
    const { memory, frames, reference } = this.parts;
    if (vcpu.root === null) return false;
    const place = lastLevelEntry(memory, vcpu.domain.space, vcpu.root, address);
    if (place === null) return false;
    const low = memory.read32(place.table, place.index * ENTRY_BYTES);
    const high = memory.read32(place.table, place.index * ENTRY_BYTES + 4);
    const frame = frameOf(low, high);
    const type = frames.type[frame];
    const isTable = (low & (Pte.P | Pte.RW)) === Pte.P &&
      frames.ownerOf(frame) === vcpu.domain.id &&
      levelOf(type) > 0 && frames.typeCount[frame] > 0;
    if (!isTable) return false;
    const page = BigInt.asUintN(64, BigInt(address)) >> 12n;
    const { id } = vcpu.domain;
    reference.step(
      cpu,
      new TablePort(
        reference.portOf(cpu),
        this.parts,
        frame as MachineFrame,
        type as TableType,
        id,
        page,
        errorCode,
      ),
    );
    return true;
  }
}
