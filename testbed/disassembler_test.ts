import { assertEquals } from "@std/assert";
import { disassembleBytes } from "./disassembler.ts";

const CASES: [claim: string, bits: 16 | 32 | 64, bytes: number[], lines: string[]][] = [
  ["long mode", 64, [0x48, 0x89, 0xd8, 0xc3], ["1000 mov rax, rbx", "1003 ret"]],
  ["16-bit code", 16, [0xb8, 0x34, 0x12, 0xf4], ["1000 mov ax, 0x1234", "1003 hlt"]],
  ["a branch target is absolute", 32, [0xeb, 0xfe], ["1000 jmp short 0x1000"]],
  ["bytes that are no instruction are listed one by one", 64, [0x06, 0x90], [
    "1000 (bad)",
    "1001 nop",
  ]],
  ["an instruction that is cut off is bad", 64, [0x90, 0x48], ["1000 nop", "1001 (bad)"]],
];

for (const [claim, bits, bytes, lines] of CASES) {
  Deno.test(`disassembles: ${claim}`, async () => {
    const listing = await disassembleBytes(new Uint8Array(bytes), 0x1000n, bits);
    assertEquals(listing.map(({ address, text }) => `${address.toString(16)} ${text}`), lines);
  });
}

Deno.test("lists no more than was asked for, in the syntax asked for", async () => {
  const bytes = new Uint8Array([0x48, 0x89, 0xd8, 0x90]);
  const listing = await disassembleBytes(bytes, 0xffffffff81000000n, 64, 1, "att");
  assertEquals(listing, [
    { address: 0xffffffff81000000n, bytes: bytes.slice(0, 3), text: "mov %rbx, %rax" },
  ]);
});
