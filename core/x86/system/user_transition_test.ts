import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { cpuModel } from "../model/presets.ts";
import { readFlags } from "./flags_image.ts";
import { At, type Outcome, Rig, Sel } from "./testing/rig.ts";

const GP0: Outcome = { vector: 13, error: 0 };
const UD: Outcome = { vector: 6, error: null };

function withSyscall(rig: Rig): Rig {
  // User CS base 0x30 (SYSRET: 0x40 and 0x38), kernel CS 0x38.
  rig.state.star = (0x30n << 48n) | (0x38n << 32n);
  rig.state.lstar = 0xffff_ffff_8100_0000n;
  rig.state.fmask = 0x200n;
  return rig;
}

test("SYSCALL in 64-bit mode keeps RIP in RCX and RFLAGS in R11, and masks flags", () => {
  const rig = withSyscall(new Rig().longMode(3));
  const { state } = rig;
  state.flags |= 0x200;
  assertEquals(rig.call("syscall"), "done");
  assertEquals([state.rcx, state.r11], [BigInt(At.code + 2), 0x202n]);
  assertEquals([state.nextRip, state.cpl], [0xffff_ffff_8100_0000n, 0]);
  assertEquals([state.csSelector, state.ssSelector], [0x38, 0x40]);
  assertEquals([state.modeKey, state.flags & 0x200], [1, 0]);
});

test("SYSRET goes back to 64-bit code at CPL 3 with the flags of R11", () => {
  const rig = withSyscall(new Rig().longMode(0));
  const { state } = rig;
  state.rcx = 0x40_0000n;
  state.r11 = 0x246n;
  assertEquals(rig.call("sysret", 64), "done");
  assertEquals([state.nextRip, state.cpl, state.modeKey], [0x40_0000n, 3, 0x41]);
  assertEquals([state.csSelector, state.ssSelector, readFlags(state)], [0x43, 0x3b, 0x246]);
});

test("SYSRET to a non-canonical address is #GP on Intel, not on AMD", () => {
  for (const [model, expected] of [["default", GP0], ["qemu64", "done"]] as const) {
    const rig = withSyscall(new Rig(cpuModel(model)).longMode(0));
    rig.state.rcx = 0x8000_0000_0000n;
    assertEquals(rig.call("sysret", 64), expected);
  }
});

// SDM vol. 2, "SYSCALL"; AMD APM vol. 3, "SYSCALL".
const SYSCALLS: readonly [
  model: string,
  mode: "long" | "compatibility" | "protected",
  sce: boolean,
  Outcome,
][] = [
  ["default", "long", true, "done"],
  ["default", "long", false, UD],
  ["default", "compatibility", true, UD],
  ["default", "protected", true, UD],
  ["qemu64", "compatibility", true, "done"],
  ["qemu64", "protected", true, "done"],
];
for (const [model, mode, sce, expected] of SYSCALLS) {
  test(`SYSCALL on ${model} in ${mode} mode with SCE ${sce}: ${expected === "done" ? "works" : "#UD"}`, () => {
    const rig = new Rig(cpuModel(model));
    if (mode === "protected") rig.protectedMode(3);
    else rig.longMode(3);
    if (mode === "compatibility") rig.call("jumpFar", Sel.code3, 0x7000, 32);
    withSyscall(rig);
    rig.state.efer = (rig.state.efer & ~1) | (sce ? 1 : 0);
    assertEquals(rig.call("syscall"), expected);
  });
}

test("SYSENTER and SYSEXIT go through the MSRs' segments", () => {
  const rig = new Rig().protectedMode(3);
  const { state } = rig;
  assertEquals(rig.call("sysenter"), GP0);
  state.sysenterCs = 8;
  state.sysenterEip = 0x7000n;
  state.sysenterEsp = 0x7f00n;
  assertEquals(rig.call("sysenter"), "done");
  assertEquals([state.cpl, state.csSelector, state.ssSelector], [0, 8, 0x10]);
  assertEquals([state.nextRip, state.rsp], [0x7000n, 0x7f00n]);
  state.rcx = 0x9000n;
  state.rdx = 0x5000n;
  assertEquals(rig.call("sysexit", 32), "done");
  assertEquals([state.cpl, state.csSelector, state.ssSelector], [3, 0x1b, 0x23]);
  assertEquals([state.nextRip, state.rsp], [0x5000n, 0x9000n]);
});

test("SYSENTER in long mode is Intel's only", () => {
  const rig = new Rig(cpuModel("qemu64")).longMode(3);
  rig.state.sysenterCs = 8;
  assertEquals(rig.call("sysenter"), UD);
});

test("SWAPGS exchanges the bases, at CPL 0 of 64-bit mode only", () => {
  const rig = new Rig().longMode(0);
  rig.state.gsBase = 0x1000n;
  rig.state.kernelGsBase = 0xffff_8000_0000_0000n;
  assertEquals(rig.call("swapgs"), "done");
  assertEquals([rig.state.gsBase, rig.state.kernelGsBase], [0xffff_8000_0000_0000n, 0x1000n]);
  assertEquals(new Rig().longMode(3).call("swapgs"), GP0);
  assertEquals(new Rig().protectedMode(0).call("swapgs"), UD);
});

// SDM vol. 2, "POPF", table "Effect of POPF/POPFD on the EFLAGS Register".
const POPS: readonly [cpl: 0 | 3, iopl: number, popped: number, width: number, result: number][] = [
  [0, 0, 0x3f7fd5, 32, 0x247fd7],
  [0, 0, 0x3f7fd5, 16, 0x7fd7],
  [3, 0, 0x3f7fd5, 32, 0x244dd7],
  [3, 3, 0x3f7fd5, 32, 0x247fd7],
  [3, 3, 0, 32, 0x3002],
];
for (const [cpl, iopl, popped, width, result] of POPS) {
  test(`POPF of ${width} bits at CPL ${cpl} with IOPL ${iopl} gives ${result.toString(16)}`, () => {
    const rig = new Rig().protectedMode(cpl);
    rig.state.flags |= iopl << 12;
    assertEquals(rig.call("popf", popped, width), "done");
    assertEquals(readFlags(rig.state), result);
  });
}

test("every combination of status flags survives the flag sources", () => {
  const rig = new Rig();
  for (let bits = 0; bits < 64; bits++) {
    const flags = [0x1, 0x4, 0x10, 0x40, 0x80, 0x800].reduce(
      (sum, flag, n) => sum | ((bits >> n) & 1 ? flag : 0),
      2,
    );
    rig.call("popf", flags, 32);
    assertEquals(readFlags(rig.state), flags);
  }
});

test("CLI and STI obey IOPL, and STI opens a shadow only when IF was clear", () => {
  const rig = new Rig().protectedMode(3);
  assertEquals([rig.call("cli"), rig.call("sti")], [GP0, GP0]);
  rig.state.flags |= 0x3000;
  assertEquals(rig.call("sti"), "done");
  assertEquals([rig.state.flags & 0x200, rig.state.inhibit, rig.state.status], [0x200, 1, 2]);
  rig.state.inhibit = 0;
  rig.call("sti");
  assertEquals(rig.state.inhibit, 0);
});

test("STAC and CLAC are #UD at CPL 3", () => {
  const rig = new Rig().longMode(3);
  assertEquals([rig.call("stac"), rig.call("clac")], [UD, UD]);
  const kernel = new Rig().longMode(0);
  kernel.call("stac");
  assertEquals(kernel.state.flags & 0x40000, 0x40000);
});

// SDM vol. 1, "I/O Permission Bit Map". The map is at 0x68 of the TSS; ports 0x60 and 0x61 are open.
const PORTS: readonly [port: number, bytes: number, Outcome][] = [
  [0x60, 1, "done"],
  [0x61, 1, "done"],
  [0x62, 1, GP0],
  [0x60, 2, "done"],
  [0x61, 2, GP0],
  [0x60, 4, GP0],
  [0x8000, 1, GP0],
];
for (const [port, bytes, expected] of PORTS) {
  test(`IN of ${bytes} bytes from ${port.toString(16)} at CPL 3: ${expected === "done" ? "allowed" : "#GP"}`, () => {
    const rig = new Rig().protectedMode(3);
    rig.memory.write(At.tss + 102, 2, 0x68);
    for (let i = 0; i < 0x40; i++) rig.memory.write(At.tss + 0x68 + i, 1, 0xff);
    rig.memory.write(At.tss + 0x68 + 0x60 / 8, 1, 0xfc);
    assertEquals(rig.call("in", port, bytes), expected);
    rig.state.flags |= 0x3000;
    assertEquals(rig.call("in", port, bytes), "done");
    assertEquals(rig.result, (1n << BigInt(8 * bytes)) - 1n);
  });
}
