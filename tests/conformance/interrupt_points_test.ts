/**
 * Interrupt points: an interrupt that becomes pending at a cycle is taken at the first instruction boundary or REP
 * iteration at or after it (DESIGN, section 3), by every engine at the same one.
 */

import { assertEquals } from "@std/assert";
import type { EngineName } from "../../core/x86/engine.ts";
import { ENGINES, PROGRAM, SmallMachine } from "./small_machine.ts";

const VECTOR = 0x41;
const GP = 13;
const IRETQ_BYTES = 2;
/** The handler notes where it came from and how far the program was. */
const HANDLER = `
handler:
  mov r8, [rsp]
  mov r9, rcx
  mov r10, rdi
  mov r11, rax
  hlt
`;

/** What the handler saw, and the cycle of the delivery. */
interface Arrival {
  readonly cycle: number;
  readonly rip: bigint;
  readonly rcx: bigint;
  readonly rax: bigint;
}

/** Runs `program` with the interrupt at `at`; registers start as given. */
function arrive(
  engine: EngineName,
  program: string,
  at: number,
  set: Readonly<Record<string, bigint>> = {},
): Arrival {
  const machine = new SmallMachine(engine);
  const labels = machine.place(`${program}\n${HANDLER}`);
  machine.gate(VECTOR, labels.handler);
  const { state } = machine.cpu;
  Object.assign(state, set);
  let cycle = -1;
  machine.trace.listen((event) => {
    if (event.kind === "trap" && cycle < 0) {
      assertEquals(event.a, VECTOR);
      cycle = event.cycle;
    }
  });
  machine.interruptAt(at, VECTOR);
  machine.runTo(20_000);
  return { cycle, rip: state.r8 - BigInt(PROGRAM), rcx: state.r9, rax: state.r11 };
}

const COUNT = "sti\nnop\nagain:\ninc rax\njmp again";
// `sti` and `nop` retire at cycles 0 and 1; each round of the loop is two instructions of 3 and 2 bytes.
const MOVE = "sti\ncld\nrep movsb\nhlt";
const RSI_RDI = { rsi: 0x10_0000n, rdi: 0x20_0000n };

interface Point {
  readonly claim: string;
  readonly program: string;
  readonly at: number;
  readonly set?: Readonly<Record<string, bigint>>;
  readonly expected: Arrival;
}

const POINTS: readonly Point[] = [
  {
    claim: "between two instructions of a loop, the first",
    program: COUNT,
    at: 100,
    expected: { cycle: 100, rip: 2n, rcx: 0n, rax: 49n },
  },
  {
    claim: "between two instructions of a loop, the second",
    program: COUNT,
    at: 101,
    expected: { cycle: 101, rip: 5n, rcx: 0n, rax: 50n },
  },
  {
    claim: "within a block of straight-line code",
    program: `sti\n${"inc rax\n".repeat(60)}hlt`,
    at: 33,
    expected: { cycle: 33, rip: 1n + 32n * 3n, rcx: 0n, rax: 32n },
  },
  {
    claim: "within REP MOVSB, after so many iterations",
    program: MOVE,
    at: 1_000,
    set: { ...RSI_RDI, rcx: 5_000n },
    expected: { cycle: 1_000, rip: 2n, rcx: 5_000n - 998n, rax: 0n },
  },
  {
    claim: "within REP STOSQ, at a page boundary",
    program: "sti\ncld\nrep stosq\nhlt",
    at: 2 + 512,
    set: { rdi: 0x20_0000n, rcx: 3_000n },
    expected: { cycle: 514, rip: 2n, rcx: 3_000n - 512n, rax: 0n },
  },
  {
    claim: "within REPE CMPSB",
    program: "sti\ncld\nrepe cmpsb\nhlt",
    at: 700,
    set: { ...RSI_RDI, rcx: 5_000n },
    expected: { cycle: 700, rip: 2n, rcx: 5_000n - 698n, rax: 0n },
  },
  {
    claim: "one instruction after STI",
    program: "nop\nnop\nsti\ninc rax\ninc rax\nhlt",
    at: 1,
    expected: { cycle: 4, rip: 6n, rcx: 0n, rax: 1n },
  },
  {
    claim: "not between STI and CLI",
    program: "nop\nsti\ncli\nnop\nsti\ninc rax\ninc rax\nhlt",
    at: 0,
    expected: { cycle: 6, rip: 8n, rcx: 0n, rax: 1n },
  },
  {
    claim: "one instruction after MOV SS",
    program: "mov ebx, 16\nsti\nnop\nmov ss, ebx\ninc rax\ninc rax\nhlt",
    at: 4,
    expected: { cycle: 5, rip: 12n, rcx: 0n, rax: 1n },
  },
  {
    claim: "right after POPF sets IF",
    program: "push 0x202\npopf\ninc rax\nhlt",
    at: 1,
    expected: { cycle: 2, rip: 6n, rcx: 0n, rax: 0n },
  },
  {
    claim: "after a PAUSE that began before it, 140 cycles long",
    program: "sti\nnop\npause\ninc rax\nhlt",
    at: 3,
    expected: { cycle: 142, rip: 4n, rcx: 0n, rax: 0n },
  },
  {
    claim: "after a PAUSE that began long before it, in the middle of straight-line code",
    program: "sti\nnop\npause\ninc rax\nhlt",
    at: 50,
    expected: { cycle: 142, rip: 4n, rcx: 0n, rax: 0n },
  },
  {
    claim: "in HLT, at the cycle of the interrupt",
    program: "sti\nhlt\ninc rax\nhlt",
    at: 12_345,
    expected: { cycle: 12_345, rip: 2n, rcx: 0n, rax: 0n },
  },
  {
    claim: "after STI and HLT, with the interrupt already pending",
    program: "nop\nsti\nhlt\ninc rax\nhlt",
    at: 0,
    expected: { cycle: 3, rip: 3n, rcx: 0n, rax: 0n },
  },
];

for (const engine of ENGINES) {
  for (const { claim, program, at, set, expected } of POINTS) {
    Deno.test(`${engine}: an interrupt arrives ${claim}`, () => {
      assertEquals(arrive(engine, program, at, set), expected);
    });
  }
}

for (const engine of ENGINES) {
  Deno.test(`${engine}: INT n, INT3 and INT1 are traps of the trace at their cycles, faults of their gates too`, () => {
    const machine = new SmallMachine(engine);
    const { handler } = machine.place("nop\nint 0x41\nint3\nint1\nint 0x42\nhlt\nhandler: iretq");
    for (const vector of [1, 3, 0x41]) machine.gate(vector, handler);
    machine.gate(GP, handler + BigInt(IRETQ_BYTES));
    machine.place("add rsp, 8\nadd qword [rsp], 2\niretq", Number(handler) + IRETQ_BYTES);
    const traps: number[][] = [];
    machine.trace.listen(({ kind, cycle, a }) => {
      if (kind === "trap") traps.push([cycle, a]);
    });
    machine.runTo(100);
    // Each IRETQ is a cycle, and so is the delivery of the fault at 0x42, whose INT does not retire.
    assertEquals(traps, [[1, 0x41], [3, 3], [5, 1], [7, 0x42], [7, GP]]);
  });
}
