import { assertEquals } from "@std/assert";
import { ERRNO } from "../../abi/errno.ts";
import { domainId, type MachineFrame } from "../../abi/ids.ts";
import { test } from "../../lib/testing.ts";
import { SparseFrames } from "../testing/sparse_frames.ts";
import { GUEST_SPACES } from "./guest_space.ts";
import { FrameTable, FrameType } from "./frame_table.ts";
import { GUEST_KERNEL, Pte } from "./page_table_entry.ts";
import { PageTypes } from "./page_types.ts";
import { TlbFlushes } from "./tlb_flushes.ts";

const GUEST = domainId(1);
const OTHER = domainId(2);
const RW = Pte.P | Pte.RW;
const RO = Pte.P;

/** A guest with `count` frames, numbered from 0, and page types over them. */
function rig(count = 8) {
  const memory = new SparseFrames();
  const frames = new FrameTable(count + 2, () => true);
  let flushed = 0;
  const flushes = new TlbFlushes(() => flushed++);
  const types = new PageTypes({
    memory,
    frames,
    flushes,
    spaceOf: () => GUEST_SPACES.lp64,
    fillTable: () => {},
  });
  for (let i = 0; i < count; i++) frames.allocate(GUEST);
  frames.allocate(OTHER);
  const entry = (table: number, index: number, frame: number, flags: number) => {
    memory.write32(table as MachineFrame, 8 * index, (frame << 12) | flags);
    memory.write32(table as MachineFrame, 8 * index + 4, 0);
  };
  /** Reference counts without the allocation's, and type counts, by frame. */
  const audit = () =>
    Array.from({ length: count }, (_, i) => [frames.count[i] - 1, frames.typeCount[i]]);
  return { memory, frames, types, entry, audit, flushed: () => flushed };
}

const IDLE = [0, 0];

test("a table takes a reference for each of its entries, and gives them back with its own last one", () => {
  const { types, entry, audit, frames } = rig(4);
  entry(0, 0, 1, RW);
  entry(0, 1, 1, RW);
  entry(0, 511, 2, RO);
  assertEquals(types.get(0, FrameType.l1, GUEST), 0);
  assertEquals(audit(), [[1, 1], [2, 2], [1, 0], IDLE]);
  types.put(0 as MachineFrame, GUEST);
  assertEquals(audit(), [IDLE, IDLE, IDLE, IDLE]);
  assertEquals(frames.freeFrames, 1);
});

test("four levels are validated from the top, and let go from the top", () => {
  const { types, entry, audit } = rig(5);
  entry(3, 0, 2, RW);
  entry(2, 1, 1, RW);
  entry(1, 2, 0, RW);
  entry(0, 3, 4, RW);
  assertEquals(types.get(3, FrameType.l4, GUEST), 0);
  assertEquals(audit(), [[1, 1], [1, 1], [1, 1], [1, 1], [1, 1]]);
  types.put(3 as MachineFrame, GUEST);
  assertEquals(audit(), [IDLE, IDLE, IDLE, IDLE, IDLE]);
});

interface Refusal {
  readonly what: string;
  readonly errno: number;
  set(of: ReturnType<typeof rig>): void;
}

const REFUSALS: readonly Refusal[] = [
  { what: "maps itself writable", errno: ERRNO.EBUSY, set: (r) => r.entry(0, 5, 0, RW) },
  { what: "maps another domain's frame", errno: ERRNO.EBUSY, set: (r) => r.entry(0, 5, 8, RO) },
  { what: "maps what is no memory", errno: ERRNO.EPERM, set: (r) => r.entry(0, 5, 500, RO) },
  {
    what: "chooses a cache policy",
    errno: ERRNO.EINVAL,
    set: (r) => r.entry(0, 5, 1, RO | Pte.PCD),
  },
  {
    what: "maps a page table writable",
    errno: ERRNO.EBUSY,
    set(r) {
      assertEquals(r.types.get(1, FrameType.l1, GUEST), 0);
      r.entry(0, 5, 1, RW);
    },
  },
];

for (const { what, errno, set } of REFUSALS) {
  test(`a table that ${what} is refused, and holds nothing`, () => {
    const r = rig();
    set(r);
    const before = r.audit();
    r.entry(0, 0, 2, RW);
    assertEquals(r.types.get(0, FrameType.l1, GUEST), errno);
    assertEquals(r.audit(), before);
  });
}

test("pages that are mapped writable cannot become tables, and the other way round", () => {
  const { types } = rig();
  assertEquals(types.get(1, FrameType.writable, GUEST), 0);
  assertEquals(types.get(1, FrameType.l2, GUEST), ERRNO.EBUSY);
  types.put(1 as MachineFrame, GUEST);
  assertEquals(types.get(1, FrameType.l2, GUEST), 0);
  assertEquals(types.get(1, FrameType.writable, GUEST), ERRNO.EBUSY);
});

test("frames that change their use are flushed out of the TLBs, all of them at once", () => {
  const { types, flushed } = rig();
  const use = (type: FrameType) => {
    for (const frame of [1, 2]) assertEquals(types.get(frame, type, GUEST), 0);
    for (const frame of [1, 2]) types.put(frame as MachineFrame, GUEST);
    return flushed();
  };
  const uses = [FrameType.writable, FrameType.writable, FrameType.l1, FrameType.writable];
  assertEquals(uses.map(use), [0, 0, 1, 2]);
});

test("every page is a user page to the CPU; a kernel's own are marked, a program's are global", () => {
  const { types, entry, memory } = rig();
  entry(0, 0, 1, RW);
  entry(0, 1, 1, RW | Pte.US);
  assertEquals(types.get(0, FrameType.l1, GUEST), 0);
  const table = 0 as MachineFrame;
  const flags = (index: number) => memory.read32(table, 8 * index) & 0xfff;
  assertEquals([flags(0), memory.read32(table, 4)], [RW | Pte.US, GUEST_KERNEL]);
  assertEquals([flags(1), memory.read32(table, 12)], [RW | Pte.US | Pte.G, 0]);
  // What the guest reads back it may write again.
  const low = memory.read32(table, 0) | Pte.A;
  assertEquals(types.replaceEntry(table, 1, 0, low, GUEST_KERNEL, GUEST), 0);
  assertEquals(flags(0), RW | Pte.US | Pte.A);
});

test("replacing an entry moves its references, and a refused one changes nothing", () => {
  const { types, entry, audit, memory } = rig(4);
  entry(0, 0, 1, RW);
  assertEquals(types.get(0, FrameType.l1, GUEST), 0);
  const table = 0 as MachineFrame;
  assertEquals(types.replaceEntry(table, 1, 0, (2 << 12) | RO, 0, GUEST), 0);
  assertEquals(audit(), [[1, 1], IDLE, [1, 0], IDLE]);
  const kept = memory.read32(table, 0);
  assertEquals(types.replaceEntry(table, 1, 0, (0 << 12) | RW, 0, GUEST), ERRNO.EBUSY);
  assertEquals(memory.read32(table, 0), kept);
  assertEquals(types.replaceEntry(table, 1, 0, 0, 0, GUEST), 0);
  assertEquals(audit(), [[1, 1], IDLE, IDLE, IDLE]);
});

test("the hypervisor's slots of a top-level table are not the guest's to change", () => {
  const { types } = rig();
  assertEquals(types.get(0, FrameType.l4, GUEST), 0);
  const slots = [255, 256, 260, 271, 272];
  const results = slots.map((slot) => types.replaceEntry(0 as MachineFrame, 4, slot, 0, 0, GUEST));
  assertEquals(results, [0, ERRNO.EINVAL, ERRNO.EINVAL, ERRNO.EINVAL, 0]);
});

test("descriptors lose their privilege, and gates make a page unfit", () => {
  const { types, memory } = rig();
  const page = 0 as MachineFrame;
  memory.write32(page, 8, 0x0000_ffff);
  memory.write32(page, 12, 0x00af_9b00);
  assertEquals(types.get(0, FrameType.segDesc, GUEST), 0);
  assertEquals(memory.read32(page, 12), 0x00af_fb00);
  memory.write32(1 as MachineFrame, 4, 0x0000_8c00);
  assertEquals(types.get(1, FrameType.segDesc, GUEST), ERRNO.EINVAL);
});
