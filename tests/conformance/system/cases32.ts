/** Cases in 32-bit protected mode. Sections are those of the Intel SDM, volume 3 unless said otherwise. */

import { RING_3 } from "./guest32.ts";
import { faulting, type SystemCase } from "./system_case.ts";

const GP0 = { vector: 13, error: 0, at: "fault" } as const;

/** A body that must fault at its last instruction with #GP(0) in ring 3 (vol. 2, the instruction's entry). */
function privileged(instruction: string): SystemCase {
  return {
    claim: `${instruction} in ring 3 raises #GP(0)`,
    body: `${RING_3}\n@fault: ${instruction}`,
    traps: [GP0],
  };
}

const EXCEPTIONS: readonly SystemCase[] = [
  faulting("DIV by zero is a fault (Interrupt 0)", "xor ecx, ecx\n@fault: div ecx", 0),
  faulting(
    "IDIV whose quotient does not fit is a divide error",
    "mov edx, -1\nmov eax, 0x80000000\nmov ecx, -1\ncdq\n@fault: idiv ecx",
    0,
  ),
  faulting("AAM with 0 is a divide error", "@fault: aam 0", 0),
  {
    claim: "INT3 is a trap: the pushed EIP is behind it (Interrupt 3)",
    body: "int3\n@after: nop",
    traps: [{ vector: 3, at: "after" }],
  },
  {
    claim: "INTO traps behind itself if OF is set (Interrupt 4)",
    body: "mov al, 0x7f\nadd al, 1\ninto\n@after: nop",
    traps: [{ vector: 4, at: "after" }],
  },
  { claim: "INTO does nothing if OF is clear", body: "xor eax, eax\ninto", traps: [] },
  faulting(
    "BOUND outside its bounds is a fault (Interrupt 5)",
    "mov dword [@probe], 2\nmov dword [@probe + 4], 5\nmov eax, 6\n@fault: bound eax, [@probe]",
    5,
  ),
  faulting("UD2 is an undefined opcode (Interrupt 6)", "@fault: ud2", 6),
  faulting("LOCK on a register operand is undefined", "@fault: db 0xf0\nadd eax, ebx", 6),
  faulting("MOV to CS is undefined", "@fault: db 0x8e, 0xc8", 6),
  faulting(
    "x87 with CR0.TS raises #NM (Interrupt 7)",
    "mov eax, cr0\nor al, 8\nmov cr0, eax\n@fault: fld1",
    7,
  ),
  faulting("x87 with CR0.EM raises #NM", "mov eax, cr0\nor al, 4\nmov cr0, eax\n@fault: fld1", 7),
  {
    claim: "FWAIT with TS but without MP raises nothing",
    body: "mov eax, cr0\nor al, 8\nmov cr0, eax\nfwait",
    traps: [],
  },
  faulting(
    "FWAIT with TS and MP raises #NM",
    "mov eax, cr0\nor al, 0xa\nmov cr0, eax\n@fault: fwait",
    7,
  ),
  faulting(
    "SSE without CR4.OSFXSR is undefined",
    "mov eax, 0x490\nmov cr4, eax\n@fault: xorps xmm0, xmm0",
    6,
  ),
  {
    claim: "an unmasked x87 exception is raised by the next waiting instruction (Interrupt 16)",
    body:
      "mov dword [@probe], 0x37b\nfldcw [@probe]\nfld1\nfldz\nfdivp st1, st0\n@fault: fwait\nmov dword [@probe], 0",
    traps: [{ vector: 16, at: "fault" }],
    probe: 0x37bn,
  },
  faulting(
    "an unmasked SSE exception is a fault (Interrupt 19)",
    "mov dword [@probe], 0x1d80\nldmxcsr [@probe]\nxorps xmm1, xmm1\nmov eax, 0x3f800000\nmovd xmm0, eax\n@fault: divss xmm0, xmm1",
    19,
  ),
  faulting(
    "a fault beyond the IDT while #GP is delivered is a double fault with error code 0 (Interrupt 8)",
    "lidt [short_idt]\nxor eax, eax\nmov ds, ax\n@fault: mov eax, [0]",
    8,
    0,
  ),
];

const SEGMENTS: readonly SystemCase[] = [
  faulting("a null selector in SS is #GP(0)", "xor eax, eax\n@fault: mov ss, ax", 13, 0),
  faulting(
    "a data segment that is not present is #NP(selector)",
    "mov eax, 0x30\n@fault: mov ds, ax",
    11,
    0x30,
  ),
  faulting(
    "a stack segment that is not present is #SS(selector)",
    "mov eax, 0x30\n@fault: mov ss, ax",
    12,
    0x30,
  ),
  faulting(
    "an execute-only code segment in DS is #GP(selector)",
    "mov eax, 0x48\n@fault: mov ds, ax",
    13,
    0x48,
  ),
  faulting(
    "a read-only segment in SS is #GP(selector)",
    "mov eax, 0x40\n@fault: mov ss, ax",
    13,
    0x40,
  ),
  faulting(
    "a selector beyond the GDT is #GP(selector)",
    "mov eax, 0x400\n@fault: mov ds, ax",
    13,
    0x400,
  ),
  faulting(
    "an LDT selector without LDT is #GP(selector)",
    "mov eax, 0xc\n@fault: mov ds, ax",
    13,
    0xc,
  ),
  {
    claim: "a data segment of ring 0 cannot be loaded in ring 3: #GP(selector)",
    body: `${RING_3}\nmov eax, 0x10\n@fault: mov es, ax`,
    traps: [{ vector: 13, error: 0x10, at: "fault" }],
  },
  faulting(
    "an access through a null DS is #GP(0)",
    "xor eax, eax\nmov ds, ax\n@fault: mov eax, [0]",
    13,
    0,
  ),
  faulting(
    "a store to a read-only segment is #GP(0)",
    "mov eax, 0x40\nmov es, ax\n@fault: mov [es:0x7ff0], eax",
    13,
    0,
  ),
  faulting("a store through CS is #GP(0)", "@fault: mov [cs:0x7ff0], eax", 13, 0),
  {
    claim: "a load within a limit of 15 is allowed",
    body: "mov eax, 0x38\nmov es, ax\nmov eax, [es:12]",
    traps: [],
  },
  faulting(
    "a load across a limit is #GP(0)",
    "mov eax, 0x38\nmov es, ax\n@fault: mov eax, [es:13]",
    13,
    0,
  ),
  faulting(
    "an expand-down segment has nothing below its limit",
    "mov eax, 0x58\nmov es, ax\n@fault: mov eax, [es:0xffc]",
    13,
    0,
  ),
  {
    claim: "an expand-down segment begins above its limit",
    body: "mov eax, 0x58\nmov es, ax\nmov eax, [es:0x1000]",
    traps: [],
  },
  faulting("a far jump to a data segment is #GP(selector)", "@fault: jmp 0x10:0", 13, 0x10),
  faulting(
    "a far jump to code that is not present is #NP(selector)",
    "@fault: jmp 0x50:0",
    11,
    0x50,
  ),
  faulting("a far jump to a null selector is #GP(0)", "@fault: jmp 0:0", 13, 0),
  faulting("LTR of a busy TSS is #GP(selector)", "mov eax, 0x28\n@fault: ltr ax", 13, 0x28),
  faulting("LLDT of a data segment is #GP(selector)", "mov eax, 0x10\n@fault: lldt ax", 13, 0x10),
  {
    claim: "VERW clears ZF for a read-only segment",
    body: "mov eax, 0x40\nverw ax\nsetz [@probe]\nmov eax, 0x10\nverw ax\nsetz [@probe + 1]",
    traps: [],
    probe: 0x100n,
  },
  {
    claim: "LSL gives the limit in bytes",
    body: "mov eax, 0x10\nlsl ebx, ax\nmov [@probe], ebx",
    traps: [],
    probe: 0xffffffffn,
  },
  {
    claim: "ARPL raises the RPL and sets ZF",
    body: "mov eax, 0x10\nmov ebx, 3\narpl ax, bx\nsetz [@probe + 4]\nmov [@probe], ax",
    traps: [],
    probe: 0x1_0000_0013n,
  },
];

const GATES: readonly SystemCase[] = [
  faulting(
    "INT through a gate that is not present is #NP(vector * 8 + 2)",
    "@fault: int 0x30",
    11,
    0x182,
  ),
  {
    claim: "INT through a gate of ring 0 is #GP(vector * 8 + 2) in ring 3",
    body: `${RING_3}\n@fault: int 0x31`,
    traps: [{ vector: 13, error: 0x18a, at: "fault" }],
  },
  faulting("INT beyond the IDT is #GP(vector * 8 + 2)", "@fault: int 0x80", 13, 0x402),
  {
    claim: "INT through a gate for ring 3 arrives in ring 0",
    body: `${RING_3}\nint 0x32\n@after: nop`,
    traps: [{ vector: 0x32, at: "after" }],
  },
  {
    claim:
      "a call gate for ring 3 leads to its target in ring 0, whose INT of ring 0 is then allowed",
    body: `${RING_3}\ncall 0x60:0`,
    traps: [{ vector: 0x31, at: "=gate_target+2" }],
  },
  {
    claim: "a call gate of ring 0 is #GP(selector) in ring 3",
    body: `${RING_3}\n@fault: call 0x68:0`,
    traps: [{ vector: 13, error: 0x68, at: "fault" }],
  },
  {
    claim: "conforming code keeps the CPL: CLI in it is still forbidden",
    body: `${RING_3}\njmp 0x70:@inside\n@inside: nop\n@fault: cli`,
    traps: [GP0],
  },
  ...[
    "hlt",
    "cli",
    "sti",
    "mov eax, cr0",
    "mov cr3, eax",
    "lgdt [gdt_pointer]",
    "invlpg [0]",
    "rdmsr",
    "clts",
    "in al, 0x71",
    "wbinvd",
    "ltr ax",
    "lmsw ax",
    "mov eax, dr0",
  ]
    .map(privileged),
  {
    claim: "RDTSC in ring 3 is #GP(0) with CR4.TSD",
    body: `mov eax, cr4\nor al, 4\nmov cr4, eax\n${RING_3}\n@fault: rdtsc`,
    traps: [GP0],
  },
];

const PAGING: readonly SystemCase[] = [
  faulting(
    "a load from a page that is not present: error code 0",
    "@fault: mov eax, [0x401004]",
    14,
    0,
    0x401004n,
  ),
  faulting(
    "a store to a page that is not present: W",
    "@fault: mov [0x401008], eax",
    14,
    2,
    0x401008n,
  ),
  faulting(
    "a store to a read-only page with CR0.WP: P, W",
    "@fault: mov [0x400010], eax",
    14,
    3,
    0x400010n,
  ),
  {
    claim: "without CR0.WP ring 0 may store to a read-only page",
    body:
      "mov eax, cr0\nand eax, 0xfffeffff\nmov cr0, eax\nmov dword [0x400020], 0x1234\nmov eax, [0x403020]\nmov [@probe], eax",
    traps: [],
    probe: 0x1234n,
  },
  faulting(
    "ring 3 loads from a supervisor page: P, U",
    `${RING_3}\n@fault: mov eax, [0x402000]`,
    14,
    5,
    0x402000n,
  ),
  faulting(
    "ring 3 stores to a page that is not present: W, U",
    `${RING_3}\n@fault: mov [0x401000], eax`,
    14,
    6,
    0x401000n,
  ),
  faulting(
    "ring 3 stores to a read-only page: P, W, U",
    `${RING_3}\n@fault: mov [0x400000], eax`,
    14,
    7,
    0x400000n,
  ),
  faulting(
    "a reserved bit in a 4 MiB entry: P, RSVD",
    "@fault: mov eax, [0x800000]",
    14,
    9,
    0x800000n,
  ),
  faulting(
    "a store that crosses into a page that is not present faults there and stores nothing",
    "@fault: mov dword [0x404ffe], -1",
    14,
    2,
    0x405000n,
  ),
  {
    claim: "a load sets A, not D; a store sets D",
    body:
      "mov eax, [0x406000]\nmov eax, [page_table + 24]\nand eax, 0x60\nmov [@probe], eax\nmov [0x406000], eax\nmov eax, [page_table + 24]\nand eax, 0x60\nmov [@probe + 4], eax",
    traps: [],
    probe: 0x60_0000_0020n,
  },
  {
    claim: "fetching from a page that is not present faults with that EIP",
    body: "mov eax, 0x401010\njmp eax",
    traps: [{ vector: 14, error: 0, at: "=0x401010", cr2: 0x401010n }],
  },
  {
    claim: "with CR0.AM and EFLAGS.AC a misaligned access in ring 3 is #AC(0) (Interrupt 17)",
    body:
      `mov eax, cr0\nor eax, 0x40000\nmov cr0, eax\n${RING_3}\npush 0x40002\npopfd\n@fault: mov eax, [0x403001]`,
    traps: [{ vector: 17, error: 0, at: "fault" }],
  },
];

const DEBUG: readonly SystemCase[] = [
  {
    claim: "TF traps behind the next instruction, with DR6.BS",
    body: "push 0x102\npopfd\nnop\n@after: nop",
    traps: [{ vector: 1, at: "after" }],
  },
  {
    claim: "an instruction breakpoint is a fault before the instruction",
    body: "mov eax, @here\nmov dr0, eax\nmov eax, 0x402\nmov dr7, eax\n@here: nop",
    traps: [{ vector: 1, at: "here" }],
  },
  {
    claim: "a data breakpoint traps behind the store",
    body:
      "mov eax, @probe\nmov dr1, eax\nmov eax, 0x00d00408\nmov dr7, eax\nmov dword [@probe], 7\n@after: nop",
    traps: [{ vector: 1, at: "after" }],
    probe: 7n,
  },
  {
    claim: "an access to a debug register under DR7.GD is a debug exception before it",
    body: "mov eax, 0x2400\nmov dr7, eax\n@fault: mov eax, dr0",
    traps: [{ vector: 1, at: "fault" }],
  },
];

/** All cases, in the order of the manual's chapters. */
export const CASES_32: readonly SystemCase[] = [
  ...EXCEPTIONS,
  ...SEGMENTS,
  ...GATES,
  ...PAGING,
  ...DEBUG,
];
