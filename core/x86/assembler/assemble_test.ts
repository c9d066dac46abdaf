import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { asm } from "./asm.ts";
import { assemble } from "./assemble.ts";
import type { Bits } from "./candidates.ts";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Bits, source (lines separated by `/`), bytes. Sources of encodings: SDM vol. 2. */
const ENCODED: readonly [bits: Bits, source: string, bytes: string][] = [
  [32, "mov eax, 1", "b8 01 00 00 00"],
  [16, "mov eax, 1", "66 b8 01 00 00 00"],
  [64, "mov rax, 1", "48 c7 c0 01 00 00 00"],
  [64, "mov rax, 0x123456789abc", "48 b8 bc 9a 78 56 34 12 00 00"],
  [64, "mov spl, 1", "40 b4 01"],
  [64, "mov ah, 1", "b4 01"],
  [32, "add eax, 1", "83 c0 01"],
  [32, "add eax, 0xffffffff", "83 c0 ff"],
  [32, "add eax, 1000", "05 e8 03 00 00"],
  [32, "shl eax, 1", "d1 e0"],
  [32, "shl eax, 2", "c1 e0 02"],
  [32, "imul eax, 10", "6b c0 0a"],
  [32, "push 1", "6a 01"],
  [32, "push word 0x1234", "66 68 34 12"],
  [64, "push r8", "41 50"],
  [64, "xchg eax, eax", "87 c0"],
  [32, "xchg ecx, eax", "91"],
  [64, "iretq", "48 cf"],
  [64, "sysretq", "48 0f 07"],
  [32, "mov ds, ax", "8e d8"],
  [32, "mov eax, cr0", "0f 20 c0"],
  [64, "mov cr8, rax", "44 0f 22 c0"],
  [32, "push fs", "0f a0"],
  [16, "jmp dword 8:0x100000", "66 ea 00 00 10 00 08 00"],
  [32, "jmp far [eax]", "ff 28"],
  [64, "jmp [rax]", "ff 20"],
  [32, "lock inc dword [eax]", "f0 ff 00"],
  [32, "rep movsd", "f3 a5"],
  [64, "rep stosq", "f3 48 ab"],
  [32, "es lodsb", "26 ac"],
  [32, "jecxz $", "e3 fe"],
  [32, "mov al, [fs:ebx]", "64 8a 03"],
  [16, "mov al, [bx+si]", "8a 00"],
  [16, "mov al, [si+bx-1]", "8a 40 ff"],
  [16, "mov al, [bp]", "8a 46 00"],
  [32, "mov ecx, [ebp]", "8b 4d 00"],
  [32, "mov ecx, [esp]", "8b 0c 24"],
  [32, "mov ecx, [eax+eax*4]", "8b 0c 80"],
  [32, "mov ecx, [eax*5]", "8b 0c 80"],
  [32, "mov eax, [0x1234]", "a1 34 12 00 00"],
  [64, "mov eax, [0x1234]", "8b 04 25 34 12 00 00"],
  [64, "mov eax, [r13+r12*8+0x100]", "43 8b 84 e5 00 01 00 00"],
  [64, "mov eax, [eax]", "67 8b 00"],
  [64, "lea rax, [rel $]", "48 8d 05 f9 ff ff ff"],
  [64, "default rel/mov eax, [$]", "8b 05 fa ff ff ff"],
  [64, "movq rax, xmm1", "66 48 0f 7e c8"],
  [64, "pxor xmm8, [rax]", "66 44 0f ef 00"],
  [32, "fadd st1", "d8 c1"],
  [32, "faddp", "de c1"],
  [32, "fcompp", "de d9"],
  [32, "fstcw [eax]", "9b d9 38"],
  [32, "aam", "d4 0a"],
  [32, "nop dword [eax]", "0f 1f 00"],
  [32, `db "ab", 'c', 1+2, 'A'/dw "a"/dd -1`, "61 62 63 03 41 61 00 ff ff ff ff"],
  [32, "db 1/align 4, 0/db 2", "01 00 00 00 02"],
  [32, "times 3 db 7/resw 1", "07 07 07 00 00"],
  [32, "times 4-($-$$) db 1", "01 01 01 01"],
  [32, "org 0x1000/dd $, $$, here/here:", "00 10 00 00 00 10 00 00 0c 10 00 00"],
  [32, "size equ end - start/start: dd size/end:", "04 00 00 00"],
  [32, "a: jmp .x/.x: jmp a.x", "eb 00 eb fe"],
  [32, "dd 1 << 4 | 2, (3 + 5) * 2 & ~0", "12 00 00 00 10 00 00 00"],
  [32, "db 0x1_f, 1fh, 0b11, 11b, 0o17", "1f 1f 03 03 0f"],
];

test("Instructions, data and expressions assemble to the manual's bytes", () => {
  for (const [bits, source, bytes] of ENCODED) {
    assertEquals(hex(assemble(source.replaceAll("/", "\n"), { bits }).bytes), bytes, source);
  }
});

test("A jump is short where its target is near, and near where it is not", () => {
  const near = (gap: number) =>
    assemble(`jmp far_away\ntimes ${gap} nop\nfar_away:`).bytes.length - gap;
  assertEquals([near(127), near(128)], [2, 5]);
  assertEquals(hex(assemble("jmp near x\nx:").bytes), "e9 00 00 00 00");
});

test("Jumps over one another come to rest", () => {
  const jumps = Array.from({ length: 60 }, (_, i) => `a${i}: jz a${59 - i}`).join("\n");
  const { bytes, labels } = assemble(jumps);
  assertEquals(labels.a0, 0n);
  assertEquals(bytes.length < 60 * 6, true);
});

test("The tagged template takes numbers, text and bytes", () => {
  assertEquals(hex(asm`mov eax, ${1}`), "b8 01 00 00 00");
  assertEquals(hex(asm`db ${Uint8Array.of(1, 2)}, ${3n}`), "01 02 03");
  assertThrows(() => asm`mov eax, ${0.5}`, TypeError, "expected a safe integer");
});

test("Labels keep their addresses, with the origin", () => {
  const { labels } = assemble("start: nop\n.next: nop\nlimit equ 5", { origin: 0x7c00, bits: 16 });
  assertEquals(labels, { start: 0x7c00n, "start.next": 0x7c01n, limit: 5n });
});

/** Bits, source, what the error says. */
const REFUSED: readonly [bits: Bits, source: string, message: string][] = [
  [32, "nop\nmvo eax, 1", `line 2, "mvo eax, 1": unknown mnemonic mvo; did you mean mov?`],
  [32, "mov [1], 5", "needs a width: write byte or dword before ["],
  [32, "mov eax, bl", "mov does not take these operands in 32-bit code; it takes r/m8, r8"],
  [32, "add al, 300", "0x12c does not fit"],
  [32, "jmp strat\nstart:", "unknown label strat; did you mean start?"],
  [32, "mov rax, 1", "rax exists in 64-bit code only"],
  [64, "pusha", "pusha does not exist in 64-bit code"],
  [64, "mov ah, r8b", "ah, bh, ch and dh cannot stand"],
  [32, "a:\na:", "a is defined twice"],
  [32, "mov eax, [ebx+ecx+edx]", "one base, and one index"],
  [32, "mov eax, [ebx*3+ecx]", "one base, and one index"],
  [32, "mov eax, [esp*2]", "esp cannot be an index"],
  [16, "mov eax, [ax]", "a 16-bit address is bx or bp"],
  [32, "lock mov [eax], eax", "lock stands before"],
  [32, "rep mov [eax], eax", "rep stands before string instructions"],
  [32, "mov eax, 1 2", "cannot read what begins with 2"],
  [32, "jmp short x\ntimes 200 nop\nx:", "does not fit"],
  [32, `db "abc`, "has no end"],
  [32, "db 0x1g", "is no number"],
  [32, "bits 8", "expected bits 16, 32 or 64, found 8"],
  [32, "align 3", "expected a power of two"],
  [32, "db 1/0", "division by zero"],
  [32, "times -1 nop", "expected a count"],
  [32, "a: times 5 - (b - a) nop\nb:", "do not come to rest"],
  [32, "times 100000000 nop", "expected a count"],
  [32, `times 8000000 db "1234567890"`, "the image is larger than 67108864 bytes"],
];

test("What cannot be assembled is refused with its line and with what would be right", () => {
  for (const [bits, source, message] of REFUSED) {
    assertThrows(() => assemble(source, { bits }), SyntaxError, message, source);
  }
});
