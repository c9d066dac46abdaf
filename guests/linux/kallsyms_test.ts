import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { kernelCode, type KernelSymbol, readKallsyms } from "./kallsyms.ts";

const BASE = { 32: 0xc100_0000n, 64: 0xffff_ffff_8100_0000n } as const;
/** Tokens of more than one character, by number; all others are single characters. */
const LONG_TOKENS: Readonly<Record<number, string>> = { 1: "sys_", 2: "__x64_", 200: "read" };

/** The symbols of a small kernel: a per-CPU one, then code, each sixteen bytes long. */
function symbols(bits: 32 | 64, count: number): KernelSymbol[] {
  return Array.from({ length: count }, (_, i) => {
    if (i === 0 && bits === 64) return { address: 0x20n, type: "A", name: "per_cpu_word" };
    const address = BASE[bits] + BigInt(16 * i);
    if (i === count - 1) return { address, type: "T", name: "_etext" };
    const name = i === 7 ? "long_name_".repeat(20) : `__x64_sys_read${i}`;
    return { address, type: i % 2 ? "t" : "T", name };
  });
}

/** The tables as `scripts/kallsyms.c` lays them out, with other bytes around them. */
function image(all: readonly KernelSymbol[], bits: 32 | 64): Uint8Array {
  const out: number[] = new Array(64).fill(0x30);
  const align = () => {
    while (out.length % (bits / 8) !== 0) out.push(0);
  };
  const word = (value: bigint, bytes: number) => {
    for (let i = 0; i < bytes; i++) out.push(Number((value >> BigInt(8 * i)) & 0xffn));
  };
  const tokens = Array.from({ length: 256 }, (_, i) => LONG_TOKENS[i] ?? String.fromCharCode(i));
  for (const { address } of all) {
    const countsDown = bits === 64 && address >= BASE[64];
    word(countsDown ? BASE[64] - 1n - address : bits === 64 ? address : address - BASE[32], 4);
  }
  align();
  word(BASE[bits], bits / 8);
  word(BigInt(all.length), 4);
  align();
  const start = out.length;
  const markers: number[] = [];
  all.forEach(({ type, name }, i) => {
    if (i % 256 === 0) markers.push(out.length - start);
    const numbers = tokenNumbers(type + name);
    if (numbers.length < 0x80) out.push(numbers.length);
    else out.push((numbers.length & 0x7f) | 0x80, numbers.length >> 7);
    out.push(...numbers);
  });
  align();
  for (const marker of markers) word(BigInt(marker), 4);
  align();
  const table = out.length;
  const starts: number[] = [];
  for (const [i, token] of tokens.entries()) {
    starts.push(out.length - table);
    // Number 0 stands for nothing: a string cannot hold NUL.
    out.push(...i === 0 ? [] : [...token].map((c) => c.charCodeAt(0)), 0);
  }
  align();
  for (const at of starts) word(BigInt(at), 2);
  out.push(...new Array(64).fill(0x30));
  return Uint8Array.from(out);
}

function tokenNumbers(text: string): number[] {
  const numbers: number[] = [];
  while (text.length > 0) {
    const long = Object.entries(LONG_TOKENS).find(([, token]) => text.startsWith(token));
    numbers.push(long ? Number(long[0]) : text.charCodeAt(0));
    text = text.slice(long ? long[1].length : 1);
  }
  return numbers;
}

for (const bits of [32, 64] as const) {
  test(`the symbols of a ${bits}-bit kernel are read as they were laid out`, () => {
    const all = symbols(bits, 700);
    assertEquals(readKallsyms(image(all, bits), bits), all);
  });
}

test("an image without the tables, or with damaged ones, has no symbols", () => {
  assertEquals(readKallsyms(new Uint8Array(4096).fill(0x30), 64), null);
  const bytes = image(symbols(64, 700), 64);
  const index = bytes.length - 64 - 2 * 100;
  bytes[index] ^= 1;
  assertEquals(readKallsyms(bytes, 64), null);
});

test("only code takes part in finding a function, up to where code ends", () => {
  const code = kernelCode(symbols(64, 700));
  assertEquals(code.find(0x20n), null);
  assertEquals(code.find(BASE[64] + 0x1fn)?.name, "__x64_sys_read1");
  assertEquals(code.find(BASE[64] + BigInt(16 * 699)), null);
});
