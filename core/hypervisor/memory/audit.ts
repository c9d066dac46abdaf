/**
 * Counts every reference to every frame afresh, and compares: what the frame table says must be what page tables,
 * pins, virtual CPUs, grants in use and event words hold. For tests and for a debug key; it looks at all of memory.
 */

import type { DomainId, MachineFrame } from "../../abi/ids.ts";
import type { Domain } from "../domain.ts";
import type { FrameMemory } from "../frame_memory.ts";
import { FrameFlag, type FrameTable, type FrameType, levelOf } from "./frame_table.ts";
import type { MachineMap } from "./machine_map.ts";
import { ENTRY_BYTES, frameOf, Pte, TABLE_ENTRIES } from "./page_table_entry.ts";

const LDT_PAGES = 16;

/** What is audited. */
export interface AuditParts {
  readonly memory: FrameMemory;
  readonly frames: FrameTable;
  readonly map: MachineMap;
  readonly domains: ReadonlyMap<DomainId, Domain>;
  readonly grants: { pinnedFrames(): Iterable<PinnedFrame> };
  readonly events: { heldFrames(): Iterable<MachineFrame> };
}

/** A frame whose grant is in use: how often only for reading, and how often for writing. */
export interface PinnedFrame {
  readonly frame: MachineFrame;
  readonly readers: number;
  readonly writers: number;
}

/** One frame whose counts are wrong. */
export interface AuditFinding {
  readonly frame: number;
  readonly owner: DomainId;
  readonly count: number;
  readonly expectedCount: number;
  readonly typeCount: number;
  readonly expectedTypeCount: number;
}

/** The frames of domains whose counts differ from the references there are. */
export function auditFrames(parts: AuditParts): AuditFinding[] {
  const { frames, domains } = parts;
  const count = new Uint32Array(frames.frames);
  const typeCount = new Uint32Array(frames.frames);
  const hold = (frame: number | null, typed: boolean) => {
    if (frame === null) return;
    count[frame]++;
    if (typed) typeCount[frame]++;
  };
  for (let frame = 0; frame < frames.frames; frame++) {
    const flags = frames.flags[frame];
    if ((flags & FrameFlag.allocated) !== 0) hold(frame, false);
    if ((flags & FrameFlag.shared) !== 0) hold(frame, true);
    if ((flags & FrameFlag.pinned) !== 0) hold(frame, true);
    if ((flags & FrameFlag.validated) !== 0) countEntries(parts, frame as MachineFrame, hold);
  }
  for (const domain of domains.values()) countHolders(parts, domain, hold);
  for (const { frame, readers, writers } of parts.grants.pinnedFrames()) {
    count[frame] += readers + writers;
    typeCount[frame] += writers;
  }
  for (const frame of parts.events.heldFrames()) hold(frame, true);
  const findings: AuditFinding[] = [];
  for (let frame = 0; frame < frames.frames; frame++) {
    const owner = frames.ownerOf(frame);
    if (owner === null || !domains.has(owner)) continue;
    if (frames.count[frame] === count[frame] && frames.typeCount[frame] === typeCount[frame]) {
      continue;
    }
    findings.push({
      frame,
      owner,
      count: frames.count[frame],
      expectedCount: count[frame],
      typeCount: frames.typeCount[frame],
      expectedTypeCount: typeCount[frame],
    });
  }
  return findings;
}

type Hold = (frame: number | null, typed: boolean) => void;

/** What the entries of a page table hold. */
function countEntries(parts: AuditParts, table: MachineFrame, hold: Hold): void {
  const { memory, frames, domains } = parts;
  const type = frames.type[table] as FrameType;
  const level = levelOf(type);
  const owner = domains.get(frames.ownerOf(table)!);
  if (level === 0 || owner === undefined) return;
  const { space } = owner;
  for (let index = 0; index < TABLE_ENTRIES; index++) {
    if (!space.isGuestSlot(type, index)) continue;
    const low = memory.read32(table, index * ENTRY_BYTES);
    if ((low & Pte.P) === 0) continue;
    const frame = frameOf(low, memory.read32(table, index * ENTRY_BYTES + 4));
    hold(frame, level > 1 || (low & Pte.RW) !== 0);
  }
}

/** What a domain's virtual CPUs hold. */
function countHolders({ map }: AuditParts, domain: Domain, hold: Hold): void {
  for (const vcpu of domain.vcpus) {
    hold(vcpu.root, true);
    hold(vcpu.userRoot, true);
    for (const frame of vcpu.gdtFrames) hold(frame, true);
    for (let page = 0; page < LDT_PAGES; page++) {
      hold(map.ldtPage(domain.area, vcpu.id, page), true);
    }
    if (vcpu.info !== null && vcpu.info.frame !== domain.sharedInfo) hold(vcpu.info.frame, true);
  }
}
