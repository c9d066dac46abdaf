/** Which stretches of memory must be seen for the watchpoints that are set, and which of them are touched. */

import { FRAME_BYTES, FrameWatch, type MachineMemory } from "../../core/memory/machine_memory.ts";
import type { Watchpoint } from "../../core/x86/debugging/watchpoints.ts";

/** A watched stretch on behalf of stop `id`. */
export interface Stretch {
  readonly id: number;
  readonly address: bigint;
  readonly bytes: number;
  readonly space: "linear" | "physical";
  readonly onRead: boolean;
  readonly onWrite: boolean;
}

interface StoreWatch {
  readonly id: number;
  /** Bytes [from, to) of linear memory. */
  readonly from: number;
  readonly to: number;
}

/** The watched stretches of one machine. */
export class MemoryWatch {
  #stores: StoreWatch[] = [];
  readonly #pages = new Set<number>();
  readonly #owners = new Map<Watchpoint, number>();

  /** `touched` is told of each access to a stretch: before a store, after a load. */
  constructor(
    private readonly memory: MachineMemory,
    private readonly touched: (id: number) => void,
  ) {
    memory.observe({
      beforeStore: (page, watch, offset, length) => {
        if ((watch & FrameWatch.debugger) === 0) return;
        const from = page * FRAME_BYTES + offset;
        for (const store of this.#stores) {
          if (from < store.to && store.from < from + length) this.touched(store.id);
        }
      },
    });
  }

  /** Replaces the stretches; returns what CPUs must compare accesses with. */
  replace(stretches: readonly Stretch[]): readonly Watchpoint[] {
    for (const page of this.#pages) this.memory.unwatch(page, FrameWatch.debugger);
    this.#pages.clear();
    this.#stores = [];
    this.#owners.clear();
    for (const stretch of stretches) {
      for (const part of pageParts(stretch)) {
        if (part.space === "linear") this.#compare("linear", part);
        else {
          if (part.onWrite) this.#watchStores(part);
          if (part.onRead) this.#compare("load", part);
        }
      }
    }
    return [...this.#owners.keys()];
  }

  /** The stop that a watchpoint was made for. */
  ownerOf(watchpoint: Watchpoint): number {
    return this.#owners.get(watchpoint) ?? -1;
  }

  #compare(kind: Watchpoint["kind"], { id, address, bytes, onRead, onWrite }: Stretch): void {
    const low = Number(BigInt.asIntN(32, address));
    const high = Number(BigInt.asIntN(32, address >> 32n));
    this.#owners.set({ kind, low, high, bytes, onRead, onWrite }, id);
  }

  #watchStores({ id, address, bytes }: Stretch): void {
    const from = this.memory.readableLinear(Number(address));
    if (from < 0) throw new RangeError(`no RAM at physical address 0x${address.toString(16)}`);
    const page = Math.floor(from / FRAME_BYTES);
    this.#stores.push({ id, from, to: from + bytes });
    this.#pages.add(page);
    this.memory.watch(page, FrameWatch.debugger);
  }
}

/** The parts of a stretch, none of which crosses a page. */
function pageParts(stretch: Stretch): Stretch[] {
  const parts: Stretch[] = [];
  let { address, bytes } = stretch;
  while (bytes > 0) {
    const room = FRAME_BYTES - Number(BigInt.asUintN(12, address));
    const length = Math.min(bytes, room);
    parts.push({ ...stretch, address, bytes: length });
    address += BigInt(length);
    bytes -= length;
  }
  return parts;
}
