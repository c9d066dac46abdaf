import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { combineFaults, deliver } from "./delivery.ts";
import { readFlags } from "./flags_image.ts";
import { At, type Outcome, Rig, Sel } from "./testing/rig.ts";

const INTERRUPT = 0x8e;
const TRAP = 0x8f;

function stackWords(rig: Rig, count: number): number[] {
  return Array.from({ length: count }, (_, i) => rig.read(Number(rig.state.rsp) + 4 * i));
}

function stackLong(rig: Rig, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => rig.read64(Number(rig.state.rsp) + 8 * i));
}

// SDM vol. 3, table "Conditions for Generating a Double Fault".
const COMBINATIONS: readonly [first: number, second: number, result: number][] = [
  [6, 13, 13],
  [3, 14, 14],
  [13, 6, 6],
  [0, 13, 8],
  [10, 11, 8],
  [13, 12, 8],
  [13, 14, 14],
  [14, 13, 8],
  [14, 14, 8],
  [14, 6, 6],
  [8, 13, -1],
  [8, 14, -1],
  [8, 6, 6],
];
for (const [first, second, result] of COMBINATIONS) {
  test(`exception ${second} while delivering ${first} becomes ${result}`, () => {
    assertEquals(combineFaults(first, second), result);
  });
}

test("real mode: INT pushes FLAGS, CS and IP and clears IF and TF", () => {
  const rig = new Rig();
  const { state } = rig;
  rig.write(0x21 * 4, 0x1234_5678);
  state.flags |= 0x300;
  state.rsp = 0x1000n;
  state.nextRip = 0x102n;
  assertEquals(rig.call("int", 0x21), "done");
  assertEquals([state.csSelector, state.csBase, state.nextRip], [0x1234, 0x12340n, 0x5678n]);
  assertEquals(state.rsp, 0xffan);
  assertEquals([rig.read(0xffa, 2), rig.read(0xffc, 2), rig.read(0xffe, 2)], [
    0x102,
    0xf000,
    0x302,
  ]);
  assertEquals(state.flags & 0x300, 0);
});

test("protected mode: a fault at CPL 3 switches stacks and pushes SS, ESP, EFLAGS, CS, EIP and the code", () => {
  const rig = new Rig().protectedMode(3);
  const { state } = rig;
  rig.gate(At.idt + 13 * 8, Sel.code0, 0x0012_3456, INTERRUPT);
  state.flags |= 0x200;
  deliver(rig.cpu, { vector: 13, kind: "fault", errorCode: 0x18 });
  assertEquals([state.cpl, state.csSelector, state.ssSelector, state.rip], [0, 8, 0x10, 0x123456n]);
  assertEquals(state.rsp, BigInt(At.stack0 - 24));
  // Error code, EIP, CS, EFLAGS with RF, ESP, SS.
  assertEquals(stackWords(rig, 6), [0x18, At.code, 0x1b, 0x10202, At.stack3, 0x23]);
  assertEquals(state.flags & 0x10200, 0);
});

test("protected mode: IRET goes back to CPL 3 and drops inner data segments", () => {
  const rig = new Rig().protectedMode(3);
  const { state } = rig;
  rig.gate(At.idt + 0x80 * 8, Sel.code0, 0x6000, TRAP | 0x60);
  state.flags |= 0x200;
  assertEquals(rig.call("int", 0x80), "done");
  assertEquals([state.cpl, state.flags & 0x200], [0, 0x200]);
  rig.call("loadSegment", 3, Sel.data0);
  assertEquals(rig.call("iret", 32), "done");
  assertEquals([state.cpl, state.csSelector, state.ssSelector], [3, 0x1b, 0x23]);
  assertEquals([state.nextRip, state.rsp], [BigInt(At.code + 2), BigInt(At.stack3)]);
  assertEquals([state.dsSelector, state.dsAccess, state.esSelector], [0, 0, 0x23]);
});

test("protected mode: a gate at the same level pushes on the stack in use", () => {
  const rig = new Rig().protectedMode(0);
  const { state } = rig;
  rig.gate(At.idt + 32 * 8, Sel.code0, 0x6000, INTERRUPT);
  const rsp = state.rsp;
  deliver(rig.cpu, { vector: 32, kind: "external", errorCode: -1 });
  assertEquals(state.rsp, rsp - 12n);
  assertEquals(stackWords(rig, 3), [At.code, 8, 2]);
});

test("protected mode: a 16-bit gate pushes words", () => {
  const rig = new Rig().protectedMode(0);
  rig.gate(At.idt + 32 * 8, Sel.code0, 0x9999_6000, 0x86);
  const rsp = rig.state.rsp;
  deliver(rig.cpu, { vector: 32, kind: "external", errorCode: -1 });
  assertEquals([rig.state.rsp, rig.state.rip], [rsp - 6n, 0x6000n]);
});

interface GateCase {
  readonly claim: string;
  readonly cpl: 0 | 3;
  readonly set: (rig: Rig) => void;
  readonly vector: number;
  readonly expected: Outcome;
}

// SDM vol. 2, "INT n/INTO/INT3/INT1", Protected Mode Exceptions.
const GATE_CASES: readonly GateCase[] = [
  {
    claim: "INT n through a gate of an inner DPL is #GP with the vector",
    cpl: 3,
    set: (rig) => rig.gate(At.idt + 0x30 * 8, Sel.code0, 0x6000, INTERRUPT),
    vector: 0x30,
    expected: { vector: 13, error: 0x30 * 8 + 2 },
  },
  {
    claim: "an absent gate is #NP",
    cpl: 0,
    set: (rig) => rig.gate(At.idt + 0x30 * 8, Sel.code0, 0x6000, 0x0e),
    vector: 0x30,
    expected: { vector: 11, error: 0x30 * 8 + 2 },
  },
  {
    claim: "a gate beyond the IDT is #GP",
    cpl: 0,
    set: (rig) => rig.state.idtrLimit = 0x17f,
    vector: 0x30,
    expected: { vector: 13, error: 0x30 * 8 + 2 },
  },
  {
    claim: "a descriptor that is no gate is #GP",
    cpl: 0,
    set: (rig) => rig.gate(At.idt + 0x30 * 8, Sel.code0, 0x6000, 0x8c),
    vector: 0x30,
    expected: { vector: 13, error: 0x30 * 8 + 2 },
  },
  {
    claim: "a null code selector is #GP(0)",
    cpl: 0,
    set: (rig) => rig.gate(At.idt + 0x30 * 8, 0, 0x6000, INTERRUPT),
    vector: 0x30,
    expected: { vector: 13, error: 0 },
  },
  {
    claim: "a gate to data is #GP with the selector",
    cpl: 0,
    set: (rig) => rig.gate(At.idt + 0x30 * 8, Sel.data0, 0x6000, INTERRUPT),
    vector: 0x30,
    expected: { vector: 13, error: 0x10 },
  },
  {
    claim: "a stack segment of the wrong level is #TS",
    cpl: 3,
    set: (rig) => {
      rig.gate(At.idt + 0x30 * 8, Sel.code0, 0x6000, INTERRUPT | 0x60);
      rig.write(At.tss + 8, Sel.data3);
    },
    vector: 0x30,
    expected: { vector: 10, error: 0x20 },
  },
  {
    claim: "a target beyond its segment is #GP(0)",
    cpl: 0,
    set: (rig) => {
      rig.descriptor(Sel.spare, 0, 0xfff, 0x409b);
      rig.gate(At.idt + 0x30 * 8, Sel.spare, 0x1000, INTERRUPT);
    },
    vector: 0x30,
    expected: { vector: 13, error: 0 },
  },
];
for (const { claim, cpl, set, vector, expected } of GATE_CASES) {
  test(`gate: ${claim}`, () => {
    const rig = new Rig().protectedMode(cpl);
    set(rig);
    const rsp = rig.state.rsp;
    assertEquals(rig.call("int", vector), expected);
    assertEquals([rig.state.rsp, rig.state.cpl], [rsp, cpl]);
  });
}

test("long mode: an interrupt at CPL 3 pushes five quadwords and makes SS null", () => {
  const rig = new Rig().longMode(3);
  const { state } = rig;
  rig.longGate(32, Sel.code64, 0xffff_8000_0012_3450n, INTERRUPT);
  state.flags |= 0x200;
  deliver(rig.cpu, { vector: 32, kind: "external", errorCode: -1 });
  assertEquals([state.cpl, state.csSelector, state.ssSelector], [0, 0x38, 0]);
  assertEquals([state.rip, state.rsp], [0xffff_8000_0012_3450n, BigInt(At.stack0 - 40)]);
  assertEquals(stackLong(rig, 5), [BigInt(At.code), 0x43n, 0x202n, BigInt(At.stack3), 0x23n]);
  assertEquals(rig.call("iret", 64), "done");
  assertEquals([state.cpl, state.csSelector, state.ssSelector], [3, 0x43, 0x23]);
  assertEquals([state.nextRip, state.rsp, state.flags & 0x200], [
    BigInt(At.code),
    BigInt(At.stack3),
    0x200,
  ]);
});

test("long mode: the interrupt stack table is used at the same level, aligned to 16", () => {
  const rig = new Rig().longMode(0);
  const { state } = rig;
  rig.longGate(8, Sel.code64, 0x6000n, INTERRUPT, 1);
  rig.write(At.tss + 36, At.ist1 + 8);
  deliver(rig.cpu, { vector: 8, kind: "fault", errorCode: 0 });
  assertEquals(state.rsp, BigInt(At.ist1 - 48));
  assertEquals(stackLong(rig, 6), [
    0n,
    BigInt(At.code),
    0x38n,
    2n,
    BigInt(At.stack0 - 0x100),
    0x10n,
  ]);
  assertEquals(state.ssSelector, 0x10);
});

test("long mode: a gate to 32-bit code is #GP", () => {
  const rig = new Rig().longMode(0);
  rig.longGate(0x30, Sel.code0, 0x6000n, INTERRUPT);
  assertEquals(rig.call("int", 0x30), { vector: 13, error: 8 });
});

test("a page fault loads CR2 at its delivery", () => {
  const rig = new Rig().longMode(0);
  rig.longGate(14, Sel.code64, 0x6000n, INTERRUPT);
  rig.state.faultAddress = 0xffff_8000_dead_b000n;
  deliver(rig.cpu, { vector: 14, kind: "fault", errorCode: 2 });
  assertEquals(rig.state.cr2, 0xffff_8000_dead_b000n);
  assertEquals(stackLong(rig, 2), [2n, BigInt(At.code)]);
});

test("a fault without a gate becomes a double fault with error code 0", () => {
  const rig = new Rig().longMode(0);
  rig.longGate(8, Sel.code64, 0x7000n, INTERRUPT, 1);
  deliver(rig.cpu, { vector: 13, kind: "fault", errorCode: 0x10 });
  assertEquals([rig.state.rip, rig.read64(Number(rig.state.rsp))], [0x7000n, 0n]);
});

test("without a gate for the double fault the CPU shuts down", () => {
  const rig = new Rig().longMode(0);
  deliver(rig.cpu, { vector: 13, kind: "fault", errorCode: 0 });
  assertEquals(rig.state.activity, 2);
  assertEquals(rig.state.rip, BigInt(At.code));
});

test("errors while an external interrupt is delivered carry EXT", () => {
  const rig = new Rig().longMode(0);
  rig.longGate(11, Sel.code64, 0x7000n, INTERRUPT);
  rig.longGate(32, Sel.code64, 0x6000n, 0x0e);
  deliver(rig.cpu, { vector: 32, kind: "external", errorCode: -1 });
  assertEquals([rig.state.rip, rig.read64(Number(rig.state.rsp))], [0x7000n, BigInt(32 * 8 + 3)]);
});

test("the owner of ring 0 gets traps first, except through direct gates", () => {
  const rig = new Rig().protectedMode(3);
  rig.gate(At.idt + 0x80 * 8, Sel.code0, 0x6000, TRAP | 0x60);
  const seen: number[] = [];
  rig.cpu.owner = {
    trap: (_cpu, { vector }) => seen.push(vector) > 0,
    isDirectGate: (vector) => vector === 0x80,
  };
  assertEquals(rig.call("int", 0x82), "done");
  deliver(rig.cpu, { vector: 14, kind: "fault", errorCode: 0 });
  assertEquals([seen, rig.state.cpl], [[0x82, 14], 3]);
  assertEquals(rig.call("int", 0x80), "done");
  assertEquals([seen.length, rig.state.cpl], [2, 0]);
});

test("the owner of ring 0 can carry out a sensitive instruction instead", () => {
  const rig = new Rig().protectedMode(0);
  rig.cpu.owner = { trap: () => false, intercept: (_cpu, name) => name === "hlt" };
  rig.call("hlt");
  assertEquals(rig.state.activity, 0);
  rig.cpu.owner = null;
  rig.call("hlt");
  assertEquals(rig.state.activity, 1);
});

test("virtual-8086 mode is left through a gate to level 0 and entered by IRET", () => {
  const rig = new Rig().protectedMode(0);
  const { state } = rig;
  rig.gate(At.idt + 13 * 8, Sel.code0, 0x6000, INTERRUPT);
  // GS FS DS ES SS ESP EFLAGS CS EIP, pushed in that order.
  state.rsp = BigInt(At.stack0 - 36);
  rig.write(At.stack0 - 36, 0x100, 0x200, 0x20202, 0xfff0, 0x300, 0x400, 0x500, 0x600, 0x700);
  assertEquals(rig.call("iret", 32), "done");
  assertEquals([state.cpl, state.csBase, state.nextRip], [3, 0x2000n, 0x100n]);
  assertEquals([state.ssBase, state.esBase, state.dsBase, state.fsBase, state.gsBase], [
    0x3000n,
    0x4000n,
    0x5000n,
    0x6000n,
    0x7000n,
  ]);
  assertEquals([state.modeKey, state.rsp], [0x70, 0xfff0n]);

  state.rip = 0x100n;
  deliver(rig.cpu, { vector: 13, kind: "fault", errorCode: 0 });
  assertEquals([state.cpl, state.csSelector, state.rsp], [0, 8, BigInt(At.stack0 - 40)]);
  assertEquals(stackWords(rig, 10), [
    0,
    0x100,
    0x200,
    0x30202,
    0xfff0,
    0x300,
    0x400,
    0x500,
    0x600,
    0x700,
  ]);
  assertEquals([state.dsSelector, state.gsSelector, state.dsAccess], [0, 0, 0]);
  assertEquals(readFlags(state) & 0x20200, 0);
});

test("virtual-8086 mode: INT n, CLI, PUSHF and IRET need IOPL 3", () => {
  const rig = new Rig().protectedMode(0);
  rig.state.rsp = BigInt(At.stack0 - 36);
  rig.write(At.stack0 - 36, 0x100, 0x200, 0x20002, 0xfff0, 0x300, 0, 0, 0, 0);
  rig.call("iret", 32);
  for (const name of ["cli", "sti", "pushf"] as const) {
    assertEquals(rig.call(name), { vector: 13, error: 0 });
  }
  assertEquals(rig.call("int", 0x21), { vector: 13, error: 0 });
  assertEquals(rig.call("popf", 0, 16), { vector: 13, error: 0 });
  assertEquals(rig.call("iret", 16), { vector: 13, error: 0 });
});
