/**
 * What processes find in the caches of a CPU: lines of the second-level cache, translations, and address spaces that were
 * used a short while ago.
 */

import { expectRecord, type SnapshotRecord } from "../../../core/lib/snapshot.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelCpu } from "../kernel/kernel_cpu.ts";
import type { AddressSpace, Area } from "./address_space.ts";
import { Cache, linesOf } from "./cache.ts";

/** Bytes that the kernel uses of each page of its own for a process when it is switched to. */
const OWN_BYTES = 24 * 64;
/** Pages of code and data that a switch uses, of the kernel and of each system below it; their frames are past all others. */
const KERNEL_PAGES = 8;
const KERNEL_FRAMES = 2 ** 30;
const PAGE_BYTES = 4096;
/** Entries for data in the translation buffer of a Pentium 4. */
const TRANSLATIONS = 64;
/** Address spaces that count as used recently. */
const RECENT_SPACES = 8;

interface View {
  readonly cache: Cache;
  /** Address spaces by age, latest last. */
  recent: number[];
  /** Switches of address spaces so far. */
  switches: number;
}

/** See the module comment. */
export class WorkingSets {
  /** By CPU. */
  #views: View[] = [];

  constructor(private readonly kernel: Kernel) {}

  /** `cpu` goes to the address space of process `memory`. */
  enterSpace(cpu: KernelCpu, memory: number): void {
    const view = this.#view(cpu.id);
    const { kernel } = this;
    kernel.charge("addressSpaceSwitch");
    view.switches++;
    const place = view.recent.indexOf(memory);
    if (place < 0) kernel.charge("coldSpaces");
    else view.recent.splice(place, 1);
    view.recent.push(memory);
    if (view.recent.length > RECENT_SPACES) view.recent.shift();
  }

  /** The kernel's own pages for a process are used. */
  useOwn(cpu: KernelCpu, { own }: AddressSpace): void {
    const { cache } = this.#view(cpu.id);
    let missing = 0;
    for (const frame of own) missing += cache.touch(frame, linesOf(OWN_BYTES));
    const shared = KERNEL_PAGES * (1 + this.kernel.platform.systemsBelow);
    for (let page = 0; page < shared; page++) {
      missing += cache.touch(KERNEL_FRAMES + page, linesOf(PAGE_BYTES));
    }
    if (missing > 0) this.kernel.fetchLines(missing);
  }

  /** So many bytes of a page of an area are used, `scattered` over it or from the first one on. */
  use(cpu: KernelCpu, area: Area, index: number, bytes: number, scattered: boolean): void {
    const missing = this.#view(cpu.id).cache.touch(area.frames[index], linesOf(bytes));
    if (missing > 0) this.kernel.fetchLines(missing, scattered);
  }

  /** So many pages of an area are about to be used: the first time since the switch their translations are looked up. */
  translate(cpu: KernelCpu, area: Area, pages: number): void {
    const view = this.#view(cpu.id);
    if (area.usedAt === view.switches) return;
    area.usedAt = view.switches;
    this.kernel.charge("translationRefills", Math.min(pages, TRANSLATIONS));
  }

  save(): SnapshotRecord {
    const views = this.#views.flatMap(({ cache, recent, switches }, cpu) => ({
      cpu,
      recent: [...recent],
      switches,
      cache: { ...cache.save() },
    }));
    return { kind: "working sets", version: 1, state: { views } };
  }

  restore(record: SnapshotRecord): void {
    const { views } = expectRecord(record, "working sets", 1);
    this.#views = [];
    for (const saved of views as unknown as readonly SavedView[]) {
      const cache = new Cache();
      cache.restore(saved.cache);
      const { cpu, switches } = saved;
      this.#views[cpu] = { cache, recent: [...saved.recent], switches };
    }
  }

  #view(cpu: number): View {
    return this.#views[cpu] ??= { cache: new Cache(), recent: [], switches: 0 };
  }
}

interface SavedView {
  readonly cpu: number;
  readonly recent: readonly number[];
  readonly switches: number;
  readonly cache: SnapshotRecord;
}
