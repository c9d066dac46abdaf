/** Cases in 64-bit mode. Sections are those of the Intel SDM, volume 3 unless said otherwise. */

import { LONG_RING_3 } from "./guest64.ts";
import { faulting as faultingAt, type SystemCase, USER_ALIAS } from "./system_case.ts";

const NON_CANONICAL = "0x800000000000";

/** A case that must fault at `@fault`, seen through the user alias if it runs in ring 3. */
function faulting(...[claim, body, ...fault]: Parameters<typeof faultingAt>): SystemCase {
  const { traps } = faultingAt(claim, body, ...fault);
  const alias = body.startsWith(LONG_RING_3);
  return { claim, body, traps: traps.map((trap) => ({ ...trap, alias })) };
}

/** A body that must fault at its last instruction with #GP(0) in ring 3. */
function privileged(instruction: string): SystemCase {
  return faulting(
    `${instruction} in ring 3 raises #GP(0)`,
    `${LONG_RING_3}\n@fault: ${instruction}`,
    13,
    0,
  );
}

/** Opcodes that 64-bit mode does not have (vol. 2, "Instructions Supported in 64-Bit Mode"). */
const ABSENT: readonly (readonly [name: string, bytes: string])[] = [
  ["PUSH ES", "0x06"],
  ["DAA", "0x27"],
  ["AAA", "0x37"],
  ["PUSHA", "0x60"],
  ["BOUND", "0x62, 0x00"],
  ["alias 82 of group 1", "0x82, 0xc0, 0x01"],
  ["far CALL with an immediate", "0x9a, 0, 0, 0, 0, 8, 0"],
  ["LES", "0xc4, 0x00"],
  ["INTO", "0xce"],
  ["AAM", "0xd4, 0x0a"],
  ["far JMP with an immediate", "0xea, 0, 0, 0, 0, 8, 0"],
];

const ADDRESSES: readonly SystemCase[] = [
  faulting(
    "a load from a non-canonical address is #GP(0)",
    `mov rax, ${NON_CANONICAL}\n@fault: mov rbx, [rax]`,
    13,
    0,
  ),
  faulting(
    "a load through RBP from a non-canonical address is #SS(0)",
    `mov rbp, ${NON_CANONICAL}\n@fault: mov rbx, [rbp]`,
    12,
    0,
  ),
  faulting(
    "a push to a non-canonical stack is #SS(0)",
    `mov rsp, ${NON_CANONICAL}\nadd rsp, 64\n@fault: push rax`,
    12,
    0,
  ),
  faulting(
    "a jump to a non-canonical address is #GP(0) at the jump",
    `mov rax, ${NON_CANONICAL}\n@fault: jmp rax`,
    13,
    0,
  ),
  faulting(
    "a return to a non-canonical address is #GP(0) at the return",
    `mov rax, ${NON_CANONICAL}\npush rax\n@fault: ret`,
    13,
    0,
  ),
  faulting(
    "IRETQ to a non-canonical address is #GP(0)",
    `push 0x10\npush kernel_stack\npush 2\npush 8\nmov rax, ${NON_CANONICAL}\npush rax\n@fault: iretq`,
    13,
    0,
  ),
  faulting("MOVAPS of a misaligned operand is #GP(0)", "@fault: movaps xmm0, [0x7101]", 13, 0),
  faulting("CMPXCHG16B of a misaligned operand is #GP(0)", "@fault: cmpxchg16b [0x7108]", 13, 0),
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
    "a store to a read-only page with CR0.WP: P, W",
    "@fault: mov [0x400010], eax",
    14,
    3,
    0x400010n,
  ),
  faulting(
    "ring 3 loads from a supervisor page: P, U",
    `${LONG_RING_3}\n@fault: mov eax, [0x402000]`,
    14,
    5,
    0x402000n,
  ),
  {
    claim: "fetching from a page with XD: P, I/D",
    body: "mov eax, 0x403000\njmp rax",
    traps: [{ vector: 14, error: 0x11, at: "=0x403000", cr2: 0x403000n }],
  },
  {
    claim: "fetching in ring 3 from a page with XD: P, U, I/D",
    body: `${LONG_RING_3}\nmov eax, 0x403000\njmp rax`,
    traps: [{ vector: 14, error: 0x15, at: "=0x403000", cr2: 0x403000n }],
  },
  faulting(
    "XD is reserved while EFER.NXE is clear: P, RSVD",
    "mov ecx, 0xc0000080\nrdmsr\nand eax, 0xfffff7ff\nwrmsr\n@fault: mov eax, [0x403000]",
    14,
    9,
    0x403000n,
  ),
  faulting(
    "a reserved bit in a 2 MiB entry: P, RSVD",
    "@fault: mov eax, [0x600000]",
    14,
    9,
    0x600000n,
  ),
  { claim: "bits 62..52 of an entry are ignored", body: "mov eax, [0x406000]", traps: [] },
  faulting(
    "an address bit beyond MAXPHYADDR is reserved",
    "@fault: mov eax, [0x407000]",
    14,
    9,
    0x407000n,
  ),
  faulting(
    "a store that crosses into a page that is not present faults there",
    "@fault: mov qword [0x404ffc], -1",
    14,
    2,
    0x405000n,
  ),
  {
    claim: "under CR4.SMEP ring 0 does not execute user pages: P, I/D",
    body:
      `mov rax, cr4\nor eax, 0x100000\nmov cr4, rax\nmov eax, @next + ${USER_ALIAS}\njmp rax\n@next: nop`,
    traps: [{ vector: 14, error: 0x11, at: "next", cr2: "at", alias: true }],
  },
  faulting(
    "under CR4.SMAP ring 0 does not load from user pages: P",
    "mov rax, cr4\nor eax, 0x200000\nmov cr4, rax\n@fault: mov eax, [0x404000]",
    14,
    1,
    0x404000n,
  ),
];

const GATES: readonly SystemCase[] = [
  faulting(
    "INT through a gate that is not present is #NP(vector * 8 + 2)",
    "@fault: int 0x30",
    11,
    0x182,
  ),
  faulting(
    "INT through a gate of ring 0 is #GP(vector * 8 + 2) in ring 3",
    `${LONG_RING_3}\n@fault: int 0x31`,
    13,
    0x18a,
  ),
  faulting("INT beyond the IDT is #GP(vector * 8 + 2)", "@fault: int 0x80", 13, 0x402),
  {
    claim: "a gate with an IST entry switches stacks without a change of ring",
    body: "int 0x33\n@after: nop",
    traps: [{ vector: 0x33, at: "after" }],
  },
  faulting(
    "a data segment that is not present is #NP(selector)",
    "mov eax, 0x30\n@fault: mov ds, ax",
    11,
    0x30,
  ),
  faulting(
    "code with both L and D is #GP(selector)",
    "push 0x38\npush @fault\n@fault: retfq",
    13,
    0x38,
  ),
  {
    claim: "a null selector in SS is allowed in ring 0",
    body: "xor eax, eax\nmov ss, ax\npush rax\npop rax",
    traps: [],
  },
  {
    claim: "an access through a null DS is allowed",
    body: "xor eax, eax\nmov ds, ax\nmov eax, [0x7100]",
    traps: [],
  },
  ...[
    "hlt",
    "cli",
    "mov rax, cr0",
    "mov rax, cr8",
    "lgdt [gdt_pointer]",
    "rdmsr",
    "wrmsr",
    "swapgs",
    "invlpg [0]",
    "in al, 0x71",
    "sysretq",
  ].map(privileged),
];

const CONTROL: readonly SystemCase[] = [
  ...ABSENT.map(([name, bytes]) =>
    faulting(`${name} is undefined in 64-bit mode`, `@fault: db ${bytes}`, 6)
  ),
  faulting(
    "clearing CR4.PAE in long mode is #GP(0)",
    "mov rax, cr4\nand eax, 0xffffffdf\n@fault: mov cr4, rax",
    13,
    0,
  ),
  faulting(
    "clearing CR0.PE under CR0.PG is #GP(0)",
    "mov rax, cr0\nand eax, 0xfffffffe\n@fault: mov cr0, rax",
    13,
    0,
  ),
  faulting(
    "a reserved bit in CR4 is #GP(0)",
    "mov rax, cr4\nor eax, 0x80000000\n@fault: mov cr4, rax",
    13,
    0,
  ),
  faulting("bits 63..32 of CR0 are reserved", "mov rax, 0x180010033\n@fault: mov cr0, rax", 13, 0),
  faulting("CR1 does not exist", "@fault: db 0x0f, 0x20, 0xc8", 6),
  faulting(
    "changing EFER.LME under paging is #GP(0)",
    "mov ecx, 0xc0000080\nrdmsr\nand eax, 0xfffffeff\n@fault: wrmsr",
    13,
    0,
  ),
  faulting("an MSR that does not exist is #GP(0)", "mov ecx, 0x40000f00\n@fault: rdmsr", 13, 0),
  faulting(
    "a non-canonical FS base is #GP(0)",
    "mov ecx, 0xc0000100\nxor eax, eax\nmov edx, 0x8000\n@fault: wrmsr",
    13,
    0,
  ),
  faulting(
    "a non-canonical LSTAR is #GP(0)",
    "mov ecx, 0xc0000082\nxor eax, eax\nmov edx, 0x8000\n@fault: wrmsr",
    13,
    0,
  ),
  faulting(
    "SYSCALL without EFER.SCE is undefined",
    "mov ecx, 0xc0000080\nrdmsr\nand eax, 0xfffffffe\nwrmsr\n@fault: syscall",
    6,
  ),
  faulting(
    "a reserved type in the PAT is #GP(0)",
    "mov ecx, 0x277\nmov eax, 2\nxor edx, edx\n@fault: wrmsr",
    13,
    0,
  ),
  faulting("XSETBV without CR4.OSXSAVE is undefined", "xor ecx, ecx\n@fault: xsetbv", 6),
  {
    claim: "32-bit results clear the upper half of a register",
    body: "mov rax, -1\nmov eax, eax\nmov [@probe], rax",
    traps: [],
    probe: 0xffffffffn,
  },
];

/** All cases. */
export const CASES_64: readonly SystemCase[] = [...ADDRESSES, ...PAGING, ...GATES, ...CONTROL];
