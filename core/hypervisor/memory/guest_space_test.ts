import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { FrameType } from "./frame_table.ts";
import { GUEST_SPACES, PAE_L2_FIRST_XEN_SLOT } from "./guest_space.ts";

const { lp64, ilp32 } = GUEST_SPACES;

const ADDRESSES: readonly (readonly [address: number, wide: boolean, narrow: boolean])[] = [
  [0, true, true],
  [0xf57f_ffff, true, true],
  [0xf580_0000, true, false],
  [0x1_0000_0000, true, false],
  [0x7fff_ffff_ffff, true, false],
  [0x8000_0000_0000, false, false],
  [-0x8000_0000_0000, false, false],
  [-0x7800_0000_0000, true, false],
  [-1, true, false],
];

test("a guest's pages lie outside of the hypervisor's part", () => {
  const found = ADDRESSES.map(([address]) =>
    [address, lp64.contains(address), ilp32.contains(address)] as const
  );
  assertEquals(found, [...ADDRESSES]);
});

test("each entry refers to a table of the level below; the last GiB's is of a kind of its own", () => {
  const below = [0, 1, 2, 3].map((index) => ilp32.typeBelow(FrameType.l3, index));
  assertEquals(below, [FrameType.l2, FrameType.l2, FrameType.l2, FrameType.l2Xen]);
  assertEquals(ilp32.typeBelow(FrameType.l2Xen, 0), FrameType.l1);
  assertEquals(lp64.typeBelow(FrameType.l4, 3), FrameType.l3);
  assertEquals(lp64.typeBelow(FrameType.l3, 3), FrameType.l2);
});

test("slots of the hypervisor's are no guest's, and a root keeps its last table", () => {
  const first = PAE_L2_FIRST_XEN_SLOT;
  // 0xf5800000 in the last GiB, in units of 2 MiB.
  assertEquals(first, 428);
  const slots = [first - 1, first].map((index) => ilp32.isGuestSlot(FrameType.l2Xen, index));
  assertEquals([...slots, ilp32.isGuestSlot(FrameType.l2, first)], [true, false, true]);
  assertEquals([255, 256, 272].map((index) => lp64.isGuestSlot(FrameType.l4, index)), [
    true,
    false,
    true,
  ]);
  assertEquals([2, 3, 4].map((index) => ilp32.mayReplace(FrameType.l3, index)), [
    true,
    false,
    false,
  ]);
});
