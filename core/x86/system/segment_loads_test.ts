import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { SEGMENT_FIELDS } from "./segment_fields.ts";
import { At, type Outcome, Rig, Sel } from "./testing/rig.ts";

const GP = (error: number): Outcome => ({ vector: 13, error });
const NP = (error: number): Outcome => ({ vector: 11, error });
const SS = (error: number): Outcome => ({ vector: 12, error });

interface Case {
  readonly claim: string;
  readonly cpl: 0 | 3;
  readonly long?: boolean;
  readonly segment: number;
  readonly selector: number;
  /** Attributes of the descriptor at Sel.spare, if the selector names it. */
  readonly spare?: number;
  readonly expected: Outcome;
}

// SDM vol. 2, "MOV", Protected Mode Exceptions and 64-Bit Mode Exceptions.
const CASES: readonly Case[] = [
  { claim: "DS takes a null selector", cpl: 0, segment: 3, selector: 3, expected: "done" },
  {
    claim: "SS refuses null outside 64-bit mode",
    cpl: 0,
    segment: 2,
    selector: 0,
    expected: GP(0),
  },
  {
    claim: "SS takes null in 64-bit mode below CPL 3",
    cpl: 0,
    long: true,
    segment: 2,
    selector: 0,
    expected: "done",
  },
  {
    claim: "SS refuses null in 64-bit mode when RPL is not CPL",
    cpl: 0,
    long: true,
    segment: 2,
    selector: 1,
    expected: GP(0),
  },
  {
    claim: "SS refuses null in 64-bit mode at CPL 3",
    cpl: 3,
    long: true,
    segment: 2,
    selector: 3,
    expected: GP(0),
  },
  {
    claim: "a selector beyond the GDT is #GP",
    cpl: 0,
    segment: 3,
    selector: 0x100,
    expected: GP(0x100),
  },
  {
    claim: "a selector of an absent LDT is #GP",
    cpl: 0,
    segment: 3,
    selector: 0x0c,
    expected: GP(0x0c),
  },
  {
    claim: "SS refuses an RPL that is not CPL",
    cpl: 0,
    segment: 2,
    selector: 0x13,
    expected: GP(0x10),
  },
  {
    claim: "SS refuses a DPL that is not CPL",
    cpl: 3,
    segment: 2,
    selector: 0x13,
    expected: GP(0x10),
  },
  { claim: "SS refuses code", cpl: 0, segment: 2, selector: Sel.code0, expected: GP(8) },
  {
    claim: "SS refuses read-only data",
    cpl: 0,
    segment: 2,
    selector: Sel.spare,
    spare: 0xc091,
    expected: GP(0x60),
  },
  {
    claim: "an absent stack segment is #SS",
    cpl: 0,
    segment: 2,
    selector: Sel.spare,
    spare: 0xc013,
    expected: SS(0x60),
  },
  {
    claim: "an absent data segment is #NP",
    cpl: 0,
    segment: 0,
    selector: Sel.spare,
    spare: 0xc013,
    expected: NP(0x60),
  },
  {
    claim: "ES refuses execute-only code",
    cpl: 0,
    segment: 0,
    selector: Sel.spare,
    spare: 0xc099,
    expected: GP(0x60),
  },
  { claim: "ES takes readable code", cpl: 0, segment: 0, selector: Sel.code0, expected: "done" },
  {
    claim: "ES refuses a system segment",
    cpl: 0,
    segment: 0,
    selector: Sel.tss,
    expected: GP(0x28),
  },
  {
    claim: "FS refuses data of an inner level",
    cpl: 3,
    segment: 4,
    selector: Sel.data0,
    expected: GP(0x10),
  },
  { claim: "GS refuses an RPL above DPL", cpl: 0, segment: 5, selector: 0x13, expected: GP(0x10) },
  {
    claim: "FS takes conforming code of an inner level",
    cpl: 3,
    segment: 4,
    selector: 0x4b,
    expected: "done",
  },
  {
    claim: "CS cannot be loaded",
    cpl: 0,
    segment: 1,
    selector: 8,
    expected: { vector: 6, error: null },
  },
];

for (const { claim, cpl, long, segment, selector, spare, expected } of CASES) {
  test(`segment load: ${claim}`, () => {
    const rig = long ? new Rig().longMode(cpl) : new Rig().protectedMode(cpl);
    if (spare !== undefined) rig.descriptor(Sel.spare, 0, 0xfffff, spare);
    const before = rig.state.u32[SEGMENT_FIELDS[segment].selector];
    assertEquals(rig.call("loadSegment", segment, selector), expected);
    const after = rig.state.u32[SEGMENT_FIELDS[segment].selector];
    assertEquals(after, expected === "done" ? selector : before);
  });
}

test("segment load: the accessed bit is set in memory", () => {
  const rig = new Rig().protectedMode();
  rig.descriptor(Sel.spare, 0x123456, 0xfff, 0x4092);
  assertEquals(rig.call("loadSegment", 3, Sel.spare), "done");
  assertEquals(rig.read(At.gdt + Sel.spare + 5, 1), 0x93);
  assertEquals([rig.state.dsBase, rig.state.dsFirst, rig.state.dsLast], [0x123456n, 0n, 0xfffn]);
  assertEquals([rig.state.dsAttributes, rig.state.dsAccess], [0x4093, 7]);
});

// SDM vol. 3, "Limit Checking": offsets above the limit of an expand-down segment are valid.
const BOUNDS: readonly [
  claim: string,
  limit: number,
  attributes: number,
  first: bigint,
  last: bigint,
][] = [
  ["expand-up, byte granular", 0x1234, 0x4093, 0n, 0x1234n],
  ["expand-up, page granular", 0x1, 0xc093, 0n, 0x1fffn],
  ["expand-down, 32 bits", 0x0fff, 0x4097, 0x1000n, 0xffffffffn],
  ["expand-down, 16 bits", 0x0fff, 0x0097, 0x1000n, 0xffffn],
  ["expand-down with the greatest limit", 0xfffff, 0xc097, 0x1_0000_0000n, 0xffffffffn],
];
for (const [claim, limit, attributes, first, last] of BOUNDS) {
  test(`segment bounds: ${claim}`, () => {
    const rig = new Rig().protectedMode();
    rig.descriptor(Sel.spare, 0, limit, attributes);
    assertEquals(rig.call("loadSegment", 3, Sel.spare), "done");
    assertEquals([rig.state.dsFirst, rig.state.dsLast], [first, last]);
  });
}

test("MOV SS opens an interrupt shadow, LSS and MOV DS do not", () => {
  const rig = new Rig().protectedMode();
  rig.call("loadSegment", 3, Sel.data0);
  assertEquals(rig.state.inhibit, 0);
  rig.call("loadFarSegment", 2, Sel.data0);
  assertEquals(rig.state.inhibit, 0);
  rig.call("loadSegment", 2, Sel.data0);
  assertEquals(rig.state.inhibit, 2);
});

test("real mode loads a base of 16 times the selector and keeps the limit", () => {
  const rig = new Rig();
  rig.segment(3, 0, 0, 0xffffffff, 0xc093);
  assertEquals(rig.call("loadSegment", 3, 0x1234), "done");
  assertEquals([rig.state.dsBase, rig.state.dsLast, rig.state.dsAccess], [
    0x12340n,
    0xffffffffn,
    7,
  ]);
});

test("flatness of DS, ES and SS shows in the mode key", () => {
  const rig = new Rig().protectedMode();
  assertEquals(rig.state.modeKey, 0b1000_1110);
  rig.call("loadSegment", 3, 0);
  assertEquals(rig.state.modeKey, 0b1000_0110);
  rig.call("loadSegment", 3, Sel.data0);
  assertEquals(rig.state.modeKey, 0b1000_1110);
});
