import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { pendingInterrupt, takeInterrupt } from "./interrupts.ts";
import { mustStep, stepInstruction } from "./stepping.ts";
import { At, Rig, Sel } from "./testing/rig.ts";

function withGates(rig: Rig): Rig {
  for (const vector of [1, 2, 0x41]) {
    rig.gate(At.idt + 8 * vector, Sel.code0, 0x6000 + vector, 0x8e);
  }
  return rig;
}

/** Enables the local APIC and sends it vector 0x41. */
function request(rig: Rig): void {
  rig.cpu.apic.writeMmio(0xf0, 4, 0x1ff);
  rig.cpu.apic.writeMmio(0x300, 4, 0x40041);
}

test("a maskable interrupt waits for IF and for the end of the shadow", () => {
  const rig = withGates(new Rig().protectedMode());
  const { state } = rig;
  request(rig);
  assertEquals(pendingInterrupt(rig.cpu), "none");
  rig.call("sti");
  assertEquals(pendingInterrupt(rig.cpu), "none");
  assertEquals(mustStep(rig.cpu), true);
  stepInstruction(rig.cpu, () => {});
  assertEquals(takeInterrupt(rig.cpu), "external");
  assertEquals([state.rip, state.flags & 0x200], [0x6041n, 0]);
  assertEquals(pendingInterrupt(rig.cpu), "none");
});

test("HLT ends with an interrupt, which returns behind it", () => {
  const rig = withGates(new Rig().protectedMode());
  rig.state.flags |= 0x200;
  rig.call("hlt");
  assertEquals(rig.state.activity, 1);
  request(rig);
  assertEquals([takeInterrupt(rig.cpu), rig.state.activity], ["external", 0]);
});

test("NMI goes first and blocks further ones until IRET", () => {
  const rig = withGates(new Rig().protectedMode());
  rig.state.flags |= 0x200;
  request(rig);
  rig.cpu.apic.setLint(1, true);
  rig.state.signals = 1;
  assertEquals([takeInterrupt(rig.cpu), rig.state.rip], ["nmi", 0x6002n]);
  rig.state.signals = 1;
  assertEquals(pendingInterrupt(rig.cpu), "none");
  rig.call("iret", 32);
  assertEquals(pendingInterrupt(rig.cpu), "nmi");
});

test("INIT makes an application processor wait, SIPI starts it in real mode", () => {
  const rig = withGates(new Rig().protectedMode());
  const cpu = Object.assign(rig.cpu, { index: 1 });
  rig.state.signals = 2;
  assertEquals([takeInterrupt(cpu), rig.state.activity], ["init", 3]);
  rig.state.signals = 4 | (0x9a << 8);
  assertEquals([takeInterrupt(cpu), rig.state.activity], ["sipi", 0]);
  assertEquals([rig.state.csSelector, rig.state.csBase, rig.state.rip], [0x9a00, 0x9a000n, 0n]);
  rig.state.signals = 4 | (0x11 << 8);
  takeInterrupt(cpu);
  assertEquals(rig.state.csSelector, 0x9a00);
});

test("the power-on state is that of the manual's table", () => {
  const { state } = new Rig();
  assertEquals([state.csSelector, state.csBase, state.rip], [0xf000, 0xffff0000n, 0xfff0n]);
  assertEquals([state.cr0 >>> 0, state.flags, state.dr6, state.dr7], [
    0x60000010,
    2,
    0xffff0ff0,
    0x400,
  ]);
  assertEquals([state.rdx, state.mxcsr, state.modeKey], [0x106a3n, 0x1f80, 0x10]);
  assertEquals([state.ipMask, state.codeLast], [0xffffn, 0xffffn]);
});

test("TF traps after each instruction; DR6.BS says so", () => {
  const rig = withGates(new Rig().protectedMode());
  rig.state.flags |= 0x100;
  stepInstruction(rig.cpu, (cpu) => {
    cpu.state.rip = 0x5001n;
  });
  assertEquals(takeInterrupt(rig.cpu), "debug");
  assertEquals([rig.state.rip, rig.state.dr6 & 0x4000, rig.state.flags & 0x100], [
    0x6001n,
    0x4000,
    0,
  ]);
  assertEquals(rig.read(Number(rig.state.rsp)), 0x5001);
});

test("an instruction breakpoint faults before, unless RF is set", () => {
  const rig = withGates(new Rig().protectedMode());
  const { state } = rig;
  rig.call("writeDr", 0, At.code);
  rig.call("writeDr", 7, 1);
  let ran = 0;
  const run = () => {
    ran++;
    state.rip += 1n;
  };
  stepInstruction(rig.cpu, run);
  assertEquals([ran, state.rip, state.dr6 & 15], [0, 0x6001n, 1]);
  state.rip = BigInt(At.code);
  state.flags |= 0x10000;
  stepInstruction(rig.cpu, run);
  assertEquals([ran, state.rip, state.flags & 0x10000], [1, BigInt(At.code + 1), 0]);
});

test("data breakpoints are hit by stores that overlap them, on any path", () => {
  const rig = withGates(new Rig().protectedMode());
  rig.call("writeDr", 1, 0x6100);
  // Breakpoint 1: four bytes, writes.
  rig.call("writeDr", 7, 0x00d00004);
  rig.cpu.mmu.writeSlow(0x6104, 0, 4);
  rig.cpu.mmu.readSlow(0x6100, 0, 4);
  assertEquals(rig.state.debugPending, 0);
  rig.cpu.mmu.writeSlow(0x60fe, 0, 4);
  assertEquals([rig.state.debugPending, rig.stops], [2, 1]);
  assertEquals(takeInterrupt(rig.cpu), "debug");
  assertEquals(rig.state.dr6 & 15, 2);
});

test("DR7.GD guards the debug registers and is off in the handler", () => {
  const rig = withGates(new Rig().protectedMode());
  rig.call("writeDr", 7, 0x2000);
  assertEquals(rig.call("readDr", 6), { vector: 1, error: null });
  assertEquals(rig.state.dr6 & 0x2000, 0x2000);
});

test("DR4 is DR6, and #UD with CR4.DE", () => {
  const rig = new Rig().protectedMode();
  rig.call("readDr", 4);
  assertEquals(rig.result, 0xffff0ff0n);
  rig.call("writeCr", 4, 8);
  assertEquals(rig.call("readDr", 4), { vector: 6, error: null });
});
