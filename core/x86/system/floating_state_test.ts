import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { fprOffset, xmmOffset } from "../state/layout.ts";
import { type Outcome, Rig } from "./testing/rig.ts";

const GP0: Outcome = { vector: 13, error: 0 };
const AREA = 0x6000;
const DS = 3;

/** One, minus infinity, and a pseudo-denormal in ST0 to ST2, TOP 5. */
function prepared(rig: Rig): Rig {
  const { state } = rig;
  state.fpuControl = 0x37f;
  state.fpuStatus = 0x4100;
  state.fpuTop = 5;
  state.fpuTags = 0b00011111;
  state.set128(fprOffset(5), (0x3fffn << 64n) | (1n << 63n));
  state.set128(fprOffset(6), (0xffffn << 64n) | (1n << 63n));
  state.set128(fprOffset(7), 0n);
  state.fpuOpcode = 0x1d9;
  state.fpuIp = 0x1234n;
  state.fpuCs = 8;
  state.mxcsr = 0x1fa0;
  for (let n = 0; n < 16; n++) state.set128(xmmOffset(n), (BigInt(n) << 64n) | 0xabcdn);
  return rig;
}

test("FXSAVE lays the area out as the manual's table, FXRSTOR takes it back", () => {
  const rig = prepared(new Rig().protectedMode());
  assertEquals(rig.call("fxsave", DS, AREA, 32), "done");
  // FCW, FSW with TOP, abridged tags, FOP, FIP, FCS, MXCSR and its mask.
  assertEquals([rig.read(AREA), rig.read(AREA + 4)], [0x6900_037f, 0x01d9_00e0]);
  assertEquals([rig.read(AREA + 8), rig.read(AREA + 12)], [0x1234, 8]);
  assertEquals([rig.read(AREA + 24), rig.read(AREA + 28)], [0x1fa0, 0xffff]);
  assertEquals([rig.read64(AREA + 32), rig.read(AREA + 40)], [1n << 63n, 0x3fff]);
  assertEquals(rig.read(AREA + 48 + 8), 0xffff);
  assertEquals([rig.read(AREA + 160 + 7 * 16), rig.read(AREA + 168 + 7 * 16)], [0xabcd, 7]);
  // XMM8 is not there outside 64-bit mode.
  assertEquals(rig.read(AREA + 160 + 8 * 16), 0);
  const saved = rig.state.save();
  rig.call("fninit");
  rig.state.set128(xmmOffset(3), 0n);
  rig.state.mxcsr = 0x1f80;
  rig.state.set128(fprOffset(5), 0n);
  assertEquals(rig.call("fxrstor", DS, AREA, 32), "done");
  const now = rig.state.save().state;
  for (
    const name of [
      "fpuControl",
      "fpuStatus",
      "fpuTop",
      "fpuTags",
      "fpuOpcode",
      "mxcsr",
      "fpr5",
      "xmm3",
    ] as const
  ) {
    assertEquals(now[name], saved.state[name]);
  }
  assertEquals(rig.state.get128(fprOffset(5)), (0x3fffn << 64n) | (1n << 63n));
});

test("FXSAVE wants 16-byte alignment, FXRSTOR no reserved bit of MXCSR", () => {
  const rig = new Rig().protectedMode();
  assertEquals(rig.call("fxsave", DS, AREA + 8, 32), GP0);
  rig.call("fxsave", DS, AREA, 32);
  rig.write(AREA + 24, 0x10000);
  assertEquals(rig.call("fxrstor", DS, AREA, 32), GP0);
});

test("FXSAVE beyond its segment changes nothing", () => {
  const rig = new Rig().protectedMode();
  rig.segment(DS, 0, 0, AREA + 0x100, 0x4093);
  rig.write(AREA, 0x55);
  assertEquals(rig.call("fxsave", DS, AREA, 32), GP0);
  assertEquals(rig.read(AREA), 0x55);
});

test("XSAVE writes what EDX:EAX and XCR0 ask for and says so in its header", () => {
  const rig = prepared(new Rig().longMode());
  rig.state.cr4 |= 0x40000;
  rig.state.xcr0 = 3;
  rig.state.rax = 2n;
  assertEquals(rig.call("xsave", DS, AREA, 64), "done");
  assertEquals([rig.read(AREA), rig.read(AREA + 24), rig.read(AREA + 512)], [0, 0x1fa0, 2]);
  rig.state.rax = 7n;
  assertEquals(rig.call("xsave", DS, AREA, 64), "done");
  assertEquals([rig.read(AREA) & 0xffff, rig.read(AREA + 512)], [0x37f, 3]);
});

// SDM vol. 2, "XRSTOR", Protected Mode Exceptions.
const RESTORES: readonly [claim: string, offset: number, word: number, expected: Outcome][] = [
  ["a component beyond XCR0", 512, 7, GP0],
  ["a compacted area", 524, 0x80000000, GP0],
  ["a reserved header byte", 528, 1, GP0],
  ["a reserved bit of MXCSR", 24, 0x10000, GP0],
  ["nothing wrong", 512, 3, "done"],
];
for (const [claim, offset, word, expected] of RESTORES) {
  test(`XRSTOR with ${claim}: ${expected === "done" ? "loads" : "#GP"}`, () => {
    const rig = prepared(new Rig().longMode());
    rig.state.cr4 |= 0x40000;
    rig.state.xcr0 = 3;
    rig.state.rax = 3n;
    rig.write(AREA + offset, word);
    assertEquals(rig.call("xrstor", DS, AREA, 64), expected);
  });
}

test("XRSTOR initializes components that the header leaves out", () => {
  const rig = prepared(new Rig().longMode());
  rig.state.cr4 |= 0x40000;
  rig.state.xcr0 = 3;
  rig.state.rax = 3n;
  rig.write(AREA + 24, 0x1f80);
  assertEquals(rig.call("xrstor", DS, AREA, 64), "done");
  assertEquals([rig.state.fpuControl, rig.state.fpuTags, rig.state.mxcsr], [0x37f, 0xff, 0x1f80]);
  assertEquals(rig.state.get128(xmmOffset(5)), 0n);
});

test("FNSAVE of 32 bits: environment, registers, and FNINIT", () => {
  const rig = prepared(new Rig().protectedMode());
  assertEquals(rig.call("fnsave", DS, AREA, 32), "done");
  // Tags: registers 5 valid, 6 special, 7 zero, the others empty.
  assertEquals([rig.read(AREA, 2), rig.read(AREA + 4, 2), rig.read(AREA + 8, 2)], [
    0x37f,
    0x6900,
    0x63ff,
  ]);
  assertEquals([rig.read(AREA + 12), rig.read(AREA + 16)], [0x1234, 0x01d9_0008]);
  assertEquals([rig.read64(AREA + 28), rig.read(AREA + 36, 2)], [1n << 63n, 0x3fff]);
  assertEquals([rig.state.fpuTop, rig.state.fpuTags], [0, 0xff]);
  assertEquals(rig.call("frstor", DS, AREA, 32), "done");
  assertEquals([rig.state.fpuTop, rig.state.fpuTags, rig.state.fpuOpcode], [5, 0x1f, 0x1d9]);
});

test("FNSTENV in real mode gives linear pointers", () => {
  const rig = prepared(new Rig());
  rig.state.fpuCs = 0xf000;
  assertEquals(rig.call("fnstenv", DS, AREA, 16), "done");
  assertEquals([rig.read(AREA + 6, 2), rig.read(AREA + 8, 2)], [0x1234, 0xf1d9]);
  assertEquals(rig.state.fpuControl & 0x3f, 0x3f);
});

test("the words of the 32-bit FNSTENV image have ones in what is reserved", () => {
  const rig = prepared(new Rig().protectedMode());
  rig.state.fpuDs = 0x10;
  assertEquals(rig.call("fnstenv", DS, AREA, 32), "done");
  assertEquals([0, 4, 8, 24].map((at) => rig.read(AREA + at) >>> 16), Array(4).fill(0xffff));
  assertEquals(rig.read(AREA + 24, 2), 0x10);
});

test("FXSAVE is #NM while CR0.TS is set", () => {
  const rig = new Rig().protectedMode();
  rig.call("writeCr", 0, 0x19);
  assertEquals(rig.call("fxsave", DS, AREA, 32), { vector: 7, error: null });
});
