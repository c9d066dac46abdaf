import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { At, type Outcome, Rig, Sel } from "./testing/rig.ts";

interface Case {
  readonly claim: string;
  readonly cpl: 0 | 3;
  readonly long?: boolean;
  readonly selector: number;
  readonly offset: number | bigint;
  readonly width: 16 | 32 | 64;
  readonly spare?: number;
  readonly expected: Outcome;
}

const GP = (error: number): Outcome => ({ vector: 13, error });

// SDM vol. 2, "JMP", Operation and exceptions.
const JUMPS: readonly Case[] = [
  {
    claim: "to code of the same level",
    cpl: 0,
    selector: 8,
    offset: 0x7000,
    width: 32,
    expected: "done",
  },
  { claim: "null selector", cpl: 0, selector: 3, offset: 0, width: 32, expected: GP(0) },
  { claim: "data segment", cpl: 0, selector: Sel.data0, offset: 0, width: 32, expected: GP(0x10) },
  { claim: "inner level", cpl: 3, selector: Sel.code0, offset: 0, width: 32, expected: GP(8) },
  {
    claim: "conforming code of an inner level",
    cpl: 3,
    selector: Sel.conforming,
    offset: 0x7000,
    width: 32,
    expected: "done",
  },
  { claim: "RPL above CPL", cpl: 0, selector: 0x0b, offset: 0, width: 32, expected: GP(8) },
  {
    claim: "absent code",
    cpl: 0,
    selector: Sel.spare,
    spare: 0x401b,
    offset: 0,
    width: 32,
    expected: { vector: 11, error: 0x60 },
  },
  {
    claim: "beyond the limit",
    cpl: 0,
    selector: Sel.code16,
    offset: 0x10000,
    width: 32,
    expected: GP(0),
  },
  {
    claim: "non-canonical offset",
    cpl: 0,
    long: true,
    selector: Sel.code64,
    offset: 0x8000_0000_0000n,
    width: 64,
    expected: GP(0),
  },
  {
    claim: "L and D both set",
    cpl: 0,
    long: true,
    selector: Sel.spare,
    spare: 0xe09b,
    offset: 0,
    width: 32,
    expected: GP(0x60),
  },
  {
    claim: "to compatibility mode",
    cpl: 0,
    long: true,
    selector: Sel.code0,
    offset: 0x7000,
    width: 32,
    expected: "done",
  },
  {
    claim: "TSS in long mode",
    cpl: 0,
    long: true,
    selector: Sel.spare,
    spare: 0x89,
    offset: 0,
    width: 32,
    expected: GP(0x60),
  },
];
for (const { claim, cpl, long, selector, offset, width, spare, expected } of JUMPS) {
  test(`far JMP: ${claim}`, () => {
    const rig = long ? new Rig().longMode(cpl) : new Rig().protectedMode(cpl);
    if (spare !== undefined) rig.descriptor(Sel.spare, 0, 0xfffff, spare);
    const { csSelector, nextRip } = rig.state;
    assertEquals(rig.call("jumpFar", selector, offset, width), expected);
    const done = expected === "done";
    assertEquals(rig.state.csSelector, done ? (selector & 0xfffc) | cpl : csSelector);
    assertEquals(rig.state.nextRip, done ? BigInt(offset) : nextRip);
  });
}

test("far JMP to compatibility mode makes instruction pointers 32 bits wide", () => {
  const rig = new Rig().longMode();
  assertEquals([rig.state.modeKey, rig.state.ipMask], [1, 0xffff_ffff_ffff_ffffn]);
  rig.call("jumpFar", Sel.code0, 0x7000, 32);
  assertEquals([rig.state.modeKey, rig.state.ipMask], [0b1000_1110, 0xffff_ffffn]);
});

test("far CALL and RET keep selector and offset on the stack", () => {
  const rig = new Rig().protectedMode();
  const { state } = rig;
  const rsp = state.rsp;
  assertEquals(rig.call("callFar", Sel.code16, 0x1234, 32), "done");
  assertEquals([state.csSelector, state.nextRip, state.rsp], [Sel.code16, 0x1234n, rsp - 8n]);
  assertEquals([rig.read(Number(rsp) - 8), rig.read(Number(rsp) - 4)], [At.code + 2, 8]);
  assertEquals(rig.call("returnFar", 32, 4), "done");
  assertEquals([state.csSelector, state.nextRip, state.rsp], [8, BigInt(At.code + 2), rsp + 4n]);
});

test("a call gate to level 0 switches stacks and copies parameters; RET goes back", () => {
  const rig = new Rig().protectedMode(3);
  const { state } = rig;
  rig.gate(At.gdt + Sel.spare, Sel.code0, 0x6000, 0xec, 2);
  state.rsp = BigInt(At.stack3 - 8);
  rig.write(At.stack3 - 8, 0x1111, 0x2222);
  assertEquals(rig.call("callFar", Sel.spare | 3, 0xdead, 32), "done");
  assertEquals([state.cpl, state.csSelector, state.nextRip], [0, 8, 0x6000n]);
  assertEquals([state.ssSelector, state.rsp], [0x10, BigInt(At.stack0 - 24)]);
  const words = Array.from({ length: 6 }, (_, i) => rig.read(At.stack0 - 24 + 4 * i));
  assertEquals(words, [At.code + 2, 0x1b, 0x1111, 0x2222, At.stack3 - 8, 0x23]);
  assertEquals(rig.call("returnFar", 32, 8), "done");
  assertEquals([state.cpl, state.csSelector, state.nextRip], [3, 0x1b, BigInt(At.code + 2)]);
  assertEquals([state.ssSelector, state.rsp], [0x23, BigInt(At.stack3)]);
});

test("a call gate of long mode switches to RSP0 with a null SS", () => {
  const rig = new Rig().longMode(3);
  const { state } = rig;
  rig.gate(At.gdt + Sel.spare, Sel.code64, 0x6000, 0xec);
  rig.write(At.gdt + Sel.spare + 8, 0xffff8000, 0);
  assertEquals(rig.call("callFar", Sel.spare | 3, 0, 32), "done");
  assertEquals([state.cpl, state.nextRip, state.ssSelector], [0, 0xffff_8000_0000_6000n, 0]);
  assertEquals(state.rsp, BigInt(At.stack0 - 32));
  const words = Array.from({ length: 4 }, (_, i) => rig.read64(At.stack0 - 32 + 8 * i));
  assertEquals(words, [BigInt(At.code + 2), 0x43n, BigInt(At.stack3), 0x23n]);
});

// SDM vol. 2, "CALL", exceptions of call gates.
const GATES: readonly [claim: string, attributes: number, target: number, expected: Outcome][] = [
  ["a gate of an inner DPL is #GP with the gate", 0x8c, Sel.code0, GP(0x60)],
  ["an absent gate is #NP with the gate", 0x6c, Sel.code0, { vector: 11, error: 0x60 }],
  ["a null target is #GP(0)", 0xec, 0, GP(0)],
  ["a data target is #GP with the target", 0xec, Sel.data0, GP(0x10)],
];
for (const [claim, attributes, target, expected] of GATES) {
  test(`call gate: ${claim}`, () => {
    const rig = new Rig().protectedMode(3);
    rig.gate(At.gdt + Sel.spare, target, 0x6000, attributes);
    assertEquals(rig.call("callFar", Sel.spare | 3, 0, 32), expected);
    assertEquals(rig.state.rsp, BigInt(At.stack3));
  });
}

function secondTask(rig: Rig): void {
  rig.descriptor(Sel.spare, At.tss2, 0x67, 0xe9);
  const words = new Array(26).fill(0);
  words[8] = 0x7000; // EIP
  words[9] = 0x202; // EFLAGS
  for (let n = 0; n < 8; n++) words[10 + n] = 0x100 + n;
  words[14] = 0xc000; // ESP
  words[18] =
    words[20] =
    words[21] =
    words[22] =
    words[23] =
      Sel.data0;
  words[19] = Sel.code0;
  rig.write(At.tss2, ...words);
}

test("CALL of a TSS saves the old task, loads the new one and links them; IRET goes back", () => {
  const rig = new Rig().protectedMode();
  const { state } = rig;
  secondTask(rig);
  state.rbx = 0x55n;
  assertEquals(rig.call("callFar", Sel.spare, 0, 32), "done");
  assertEquals([state.nextRip, state.rsp, state.rbx], [0x7000n, 0xc000n, 0x103n]);
  assertEquals([state.trSelector, state.trBase], [Sel.spare, BigInt(At.tss2)]);
  // Saved EIP and EBX; link; both busy; NT and TS set.
  assertEquals([rig.read(At.tss + 32), rig.read(At.tss + 52)], [At.code + 2, 0x55]);
  assertEquals(rig.read(At.tss2, 2), Sel.tss);
  assertEquals(rig.read(At.gdt + Sel.spare + 5, 1), 0xeb);
  assertEquals([state.flags & 0x4000, state.cr0 & 8], [0x4000, 8]);

  state.nextRip = 0x7010n;
  rig.descriptor(Sel.tss, At.tss, 0x2ff, 0x8b);
  assertEquals(rig.call("iret", 32), "done");
  assertEquals([state.nextRip, state.rbx, state.trSelector], [BigInt(At.code + 2), 0x55n, Sel.tss]);
  assertEquals([rig.read(At.tss2 + 32), rig.read(At.gdt + Sel.spare + 5, 1)], [0x7010, 0xe9]);
  assertEquals(state.flags & 0x4000, 0);
});

test("JMP to a TSS frees the old task", () => {
  const rig = new Rig().protectedMode();
  secondTask(rig);
  assertEquals(rig.call("jumpFar", Sel.spare, 0, 32), "done");
  assertEquals(rig.read(At.gdt + Sel.tss + 5, 1), 0x89);
  assertEquals(rig.state.flags & 0x4000, 0);
});

test("a busy TSS cannot be jumped to", () => {
  const rig = new Rig().protectedMode();
  assertEquals(rig.call("jumpFar", Sel.tss, 0, 32), GP(0x28));
});

test("a TSS below the least limit is #TS", () => {
  const rig = new Rig().protectedMode();
  rig.descriptor(Sel.spare, At.tss2, 0x66, 0x89);
  assertEquals(rig.call("jumpFar", Sel.spare, 0, 32), { vector: 10, error: 0x60 });
});

test("a bad CS in the new task is #TS in the new task's context", () => {
  const rig = new Rig().protectedMode();
  secondTask(rig);
  rig.write(At.tss2 + 76, Sel.data0);
  assertEquals(rig.call("jumpFar", Sel.spare, 0, 32), { vector: 10, error: 0x10 });
  assertEquals([rig.state.rip, rig.state.trSelector], [0x7000n, Sel.spare]);
});

test("a task gate in the IDT switches tasks and pushes the error code", () => {
  const rig = new Rig().protectedMode();
  secondTask(rig);
  rig.gate(At.idt + 8 * 0x30, Sel.spare, 0, 0x85);
  assertEquals(rig.call("int", 0x30), "done");
  assertEquals([rig.state.nextRip, rig.state.rsp], [0x7000n, 0xc000n]);
});
