import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { cpuModel } from "../model/presets.ts";
import { At, type Outcome, Rig, Sel } from "./testing/rig.ts";

const GP0: Outcome = { vector: 13, error: 0 };
const UD: Outcome = { vector: 6, error: null };

// SDM vol. 2, "MOV—Move to/from Control Registers", exceptions.
const WRITES: readonly [
  claim: string,
  long: boolean,
  cr: number,
  value: number | bigint,
  Outcome,
][] = [
  ["CR0: PG without PE", false, 0, 0x80000010, GP0],
  ["CR0: NW without CD", false, 0, 0x20000011, GP0],
  ["CR0: bits 63..32", true, 0, 0x1_8001_0011n, GP0],
  ["CR0: leaving paging in 64-bit mode", true, 0, 0x11, GP0],
  ["CR3: above MAXPHYADDR", true, 3, 0x100_0000_0000n, GP0],
  ["CR4: a reserved bit", false, 4, 0x8000, GP0],
  ["CR4: VMXE, which is not advertised", false, 4, 0x2000, GP0],
  ["CR4: PCIDE, which is not advertised", true, 4, 0x20220, GP0],
  ["CR4: PAE off in long mode", true, 4, 0x200, GP0],
  ["CR4: SMEP and SMAP", false, 4, 0x300000, "done"],
  ["CR8: above 15", true, 8, 16, GP0],
  ["CR1", false, 1, 0, UD],
  ["CR5", false, 5, 0, UD],
];
for (const [claim, long, cr, value, expected] of WRITES) {
  test(`write ${claim} is ${expected === "done" ? "allowed" : `exception ${expected.vector}`}`, () => {
    const rig = long ? new Rig().longMode() : new Rig().protectedMode();
    assertEquals(rig.call("writeCr", cr, value), expected);
  });
}

test("control registers are for CPL 0", () => {
  const rig = new Rig().protectedMode(3);
  for (
    const name of ["readCr", "writeCr", "clts", "lmsw", "rdmsr", "wrmsr", "hlt", "invlpg"] as const
  ) {
    assertEquals(rig.call(name, 0, 0), GP0);
  }
  assertEquals(rig.call("smsw"), "done");
});

test("setting CR0.PG with EFER.LME activates long mode, in compatibility mode first", () => {
  const rig = new Rig().protectedMode();
  const { state } = rig;
  rig.write(At.pml4, At.pdpt | 7, 0);
  rig.write(At.pdpt, 0x87, 0);
  state.cr3 = BigInt(At.pml4);
  state.rcx = 0xc0000080n;
  state.rdx = 0n;
  state.rax = 0x100n;
  assertEquals(rig.call("wrmsr"), "done");
  assertEquals(rig.call("writeCr", 0, 0x80000011), GP0);
  assertEquals(rig.call("writeCr", 4, 0x20), "done");
  assertEquals(rig.call("writeCr", 0, 0x80000011), "done");
  assertEquals([state.efer, state.modeKey & 1], [0x500, 0]);
  assertEquals(rig.call("jumpFar", Sel.code64, 0x7000, 32), "done");
  assertEquals([state.modeKey, state.codeLast], [1, 0xffff_ffff_ffff_ffffn]);
  // LME cannot change now.
  state.rax = 0n;
  assertEquals(rig.call("wrmsr"), GP0);
});

test("PAE paging refuses reserved bits in the page directory pointers", () => {
  const rig = new Rig().protectedMode();
  rig.write(At.pdpt, At.directory | 3, 0);
  rig.state.cr3 = BigInt(At.pdpt);
  rig.call("writeCr", 4, 0x20);
  assertEquals(rig.call("writeCr", 0, 0x80000011), GP0);
  rig.write(At.pdpt, At.directory | 1, 0);
  assertEquals(rig.call("writeCr", 0, 0x80000011), "done");
});

// SDM vol. 3, table "Action Taken By x87 FPU Instructions"; vol. 2, exceptions of MMX and SSE.
const UNITS: readonly [cr0: number, cr4: number, x87: number, mmx: number, sse: number][] = [
  [0x11, 0x200, 0, 0, 0],
  [0x11, 0, 0, 0, 6],
  [0x19, 0x200, 7, 7, 7],
  [0x15, 0x200, 7, 6, 6],
];
for (const [cr0, cr4, x87, mmx, sse] of UNITS) {
  test(`CR0 ${cr0.toString(16)}, CR4 ${cr4.toString(16)}: units raise ${x87}, ${mmx}, ${sse}`, () => {
    const rig = new Rig().protectedMode();
    rig.call("writeCr", 4, cr4);
    rig.call("writeCr", 0, cr0);
    assertEquals([rig.state.x87Trap, rig.state.mmxTrap, rig.state.sseTrap], [x87, mmx, sse]);
  });
}

test("LMSW sets PE and cannot clear it; CLTS clears TS", () => {
  const rig = new Rig();
  rig.call("lmsw", 9);
  assertEquals(rig.state.cr0 & 0xf, 9);
  rig.call("lmsw", 0);
  assertEquals(rig.state.cr0 & 0xf, 1);
  rig.call("lmsw", 9);
  rig.call("clts");
  assertEquals([rig.state.cr0 & 0xf, rig.state.x87Trap], [1, 0]);
});

test("without paging translations survive changes of CR0.PE and CR0.WP; entering and leaving paging drops them", () => {
  const rig = new Rig().protectedMode();
  const { cpu: { mmu }, state } = rig;
  const isKept = () => mmu.directLinear(0x6000, 0, false) >= 0;
  const touch = () => mmu.readSlow(0x6000, 0, 4);
  rig.write(At.directory, 0x83);
  state.cr3 = BigInt(At.directory);
  state.cr4 = 0x10;
  touch();
  const survived = [0x10, 0x11, 0x10011, 0x11].map((cr0) => {
    rig.call("writeCr", 0, cr0);
    return isKept();
  });
  assertEquals(survived, [true, true, true, true]);
  for (const cr0 of [0x80000011, 0x11]) {
    rig.call("writeCr", 0, cr0);
    assertEquals(isKept(), false);
    touch();
    assertEquals(isKept(), true);
  }
});

interface MsrCase {
  readonly claim: string;
  readonly model?: string;
  readonly number: number;
  readonly write?: bigint;
  readonly writes: Outcome;
  /** Value read afterwards, or the outcome of RDMSR. */
  readonly reads: bigint | Outcome;
}

const MSRS: readonly MsrCase[] = [
  { claim: "an unknown MSR is #GP", number: 0x1234, write: 0n, writes: GP0, reads: GP0 },
  {
    claim: "EFER takes SCE, LME and NXE",
    number: 0xc0000080,
    write: 0x901n,
    writes: "done",
    reads: 0x901n,
  },
  { claim: "EFER refuses a reserved bit", number: 0xc0000080, write: 2n, writes: GP0, reads: 0n },
  {
    claim: "LSTAR takes canonical addresses",
    number: 0xc0000082,
    write: 0xffff_ffff_8100_0000n,
    writes: "done",
    reads: 0xffff_ffff_8100_0000n,
  },
  {
    claim: "LSTAR refuses others",
    number: 0xc0000082,
    write: 0x8000_0000_0000n,
    writes: GP0,
    reads: 0n,
  },
  {
    claim: "FS base",
    number: 0xc0000100,
    write: 0x7fff_0000_1000n,
    writes: "done",
    reads: 0x7fff_0000_1000n,
  },
  {
    claim: "TSC_AUX has 32 bits",
    number: 0xc0000103,
    write: 0x1_0000_0000n,
    writes: GP0,
    reads: 0n,
  },
  {
    claim: "PAT resets to its documented value",
    number: 0x277,
    writes: "done",
    reads: 0x0007_0406_0007_0406n,
  },
  {
    claim: "PAT refuses type 2",
    number: 0x277,
    write: 2n,
    writes: GP0,
    reads: 0x0007_0406_0007_0406n,
  },
  {
    claim: "a variable MTRR base",
    number: 0x200,
    write: 0xc000_0000n,
    writes: "done",
    reads: 0xc000_0000n,
  },
  { claim: "a fixed MTRR refuses type 3", number: 0x250, write: 3n, writes: GP0, reads: 0n },
  { claim: "MTRRCAP is read-only", number: 0xfe, write: 0n, writes: GP0, reads: 0x508n },
  {
    claim: "a machine-check status takes zero only",
    number: 0x401,
    write: 1n,
    writes: GP0,
    reads: 0n,
  },
  {
    claim: "the APIC base of the bootstrap processor",
    number: 0x1b,
    writes: "done",
    reads: 0xfee00900n,
  },
  {
    claim: "x2APIC registers do not exist in xAPIC mode",
    number: 0x802,
    writes: "done",
    reads: GP0,
  },
  {
    claim: "the microcode revision",
    number: 0x8b,
    write: 0n,
    writes: "done",
    reads: 0x1d_0000_0000n,
  },
  {
    claim: "HWCR exists on AMD",
    model: "qemu64",
    number: 0xc0010015,
    write: 0x10n,
    writes: "done",
    reads: 0x10n,
  },
  {
    claim: "HWCR does not exist on Intel",
    number: 0xc0010015,
    write: 0x10n,
    writes: GP0,
    reads: GP0,
  },
  {
    claim: "SYSENTER's MSRs follow the feature",
    model: "i486",
    number: 0x174,
    write: 8n,
    writes: GP0,
    reads: GP0,
  },
];
for (const { claim, model, number, write, writes, reads } of MSRS) {
  test(`MSR: ${claim}`, () => {
    const rig = new Rig(cpuModel(model)).protectedMode();
    const { state } = rig;
    state.rcx = BigInt(number);
    if (write !== undefined) {
      state.rax = write & 0xffffffffn;
      state.rdx = write >> 32n;
      assertEquals(rig.call("wrmsr"), writes);
    }
    const outcome = rig.call("rdmsr");
    if (typeof reads === "bigint") {
      assertEquals([outcome, (state.rdx << 32n) | state.rax], ["done", reads]);
    } else assertEquals(outcome, reads);
  });
}

test("the TSC counts cycles, can be written, and its adjustment shows", () => {
  const rig = new Rig().protectedMode();
  const { state } = rig;
  rig.clock.advanceTo(0x1_0000_0005 as typeof rig.clock.now);
  rig.call("rdtsc");
  assertEquals([state.rdx, state.rax], [1n, 5n]);
  state.rcx = 0x10n;
  state.rdx = 0n;
  state.rax = 100n;
  rig.call("wrmsr");
  rig.clock.advanceTo(0x1_0000_0025 as typeof rig.clock.now);
  rig.call("rdtsc");
  assertEquals([state.rdx, state.rax], [0n, 132n]);
  state.rcx = 0x3bn;
  rig.call("rdmsr");
  assertEquals(BigInt.asIntN(64, (state.rdx << 32n) | state.rax), 100n - 0x1_0000_0005n);
});

test("RDTSC is #GP at CPL 3 under CR4.TSD", () => {
  const rig = new Rig().protectedMode(3);
  assertEquals(rig.call("rdtsc"), "done");
  rig.state.cr4 = 4;
  assertEquals(rig.call("rdtsc"), GP0);
});

test("XCR0 takes x87 and SSE, never without x87, and only under OSXSAVE", () => {
  const rig = new Rig().protectedMode();
  const { state } = rig;
  assertEquals(rig.call("xsetbv"), UD);
  rig.call("writeCr", 4, 0x40200);
  state.rdx = 0n;
  state.rax = 3n;
  assertEquals(rig.call("xsetbv"), "done");
  for (const value of [2n, 7n]) {
    state.rax = value;
    assertEquals(rig.call("xsetbv"), GP0);
  }
  rig.call("xgetbv");
  assertEquals(state.rax, 3n);
});

test("LGDT in 16-bit operand size loads 24 bits of base", () => {
  const rig = new Rig().protectedMode();
  rig.write(0x6000, 0x5678_1234, 0xabcd_9abc);
  rig.call("lgdt", 3, 0x6000, 16);
  assertEquals([rig.state.gdtrLimit, rig.state.gdtrBase], [0x1234, 0xbc_5678n]);
  rig.call("lgdt", 3, 0x6000, 32);
  assertEquals([rig.state.gdtrLimit, rig.state.gdtrBase], [0x1234, 0x9abc_5678n]);
  rig.call("sgdt", 3, 0x6100);
  assertEquals([rig.read(0x6100, 2), rig.read(0x6102)], [0x1234, 0x9abc_5678]);
});

test("LTR of long mode reads 16 bytes and marks the TSS busy", () => {
  const rig = new Rig().longMode();
  rig.descriptor(Sel.spare, 0x8000_3000 | 0, 0x67, 0x89);
  rig.write(At.gdt + Sel.spare + 8, 0xffff8000, 0);
  assertEquals(rig.call("ltr", Sel.spare), "done");
  assertEquals(rig.state.trBase, 0xffff_8000_8000_3000n);
  assertEquals(rig.read(At.gdt + Sel.spare + 5, 1), 0x8b);
  assertEquals(rig.call("ltr", Sel.spare), { vector: 13, error: 0x60 });
});

// SDM vol. 2, "LAR", "LSL", "VERR/VERW".
const QUERIES: readonly [
  name: "lar" | "lsl" | "verr" | "verw",
  selector: number,
  found: boolean,
  result: bigint,
][] = [
  ["lar", Sel.code0, true, 0x00c09b00n],
  ["lar", Sel.tss, true, 0x00008b00n],
  ["lar", 0, false, 0n],
  ["lar", 0x200, false, 0n],
  ["lsl", Sel.data0, true, 0xffffffffn],
  ["lsl", Sel.code16, true, 0xffffn],
  ["verr", Sel.code0, true, 0n],
  ["verr", Sel.tss, false, 0n],
  ["verw", Sel.data0, true, 0n],
  ["verw", Sel.code0, false, 0n],
];
for (const [name, selector, found, result] of QUERIES) {
  test(`${name.toUpperCase()} of selector ${selector.toString(16)} ${found ? "sets" : "clears"} ZF`, () => {
    const rig = new Rig().protectedMode();
    assertEquals(rig.call(name, selector), "done");
    assertEquals(rig.state.zeroSource === 0n, found);
    if (name === "lar" || name === "lsl") assertEquals(rig.result, result);
  });
}

test("ARPL raises the RPL", () => {
  const rig = new Rig().protectedMode();
  rig.call("arpl", 0x10, 3);
  assertEquals(rig.result, 0x13n);
  rig.call("arpl", 0x13, 1);
  assertEquals(rig.result, 0x13n);
});
