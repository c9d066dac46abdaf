import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { readKernelCode } from "./kernel_code.ts";
import { concatBytes, utf8 } from "./layout.ts";
import { elfImage } from "./test_images.ts";

const ADDRESS = 0x100_0000;
const STT = { object: 1, func: 2 } as const;
/** `endbr64; push rbp; mov rbp, rsp`, and a function that keeps no frame. */
const FRAMED = [0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5];
const BARE = [0x31, 0xc0, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90];

interface TestSymbol {
  readonly name: string;
  readonly value: number;
  readonly type: number;
  readonly section?: number;
}

/** A 64-bit ELF of one code segment with a symbol table, sections behind the segment. */
function image(code: readonly number[], symbols: readonly TestSymbol[]): Uint8Array {
  const body = elfImage({ segments: [{ address: ADDRESS, data: Uint8Array.from(code) }] });
  const names = "\0" + symbols.map(({ name }) => `${name}\0`).join("");
  const table = symbols.map(({ name, value, type, section = 1 }) => {
    const view = new DataView(new ArrayBuffer(24));
    view.setUint32(0, names.indexOf(`\0${name}\0`) + 1, true);
    view.setUint8(4, 0x10 | type);
    view.setUint16(6, section, true);
    view.setBigUint64(8, BigInt(value), true);
    view.setBigUint64(16, 8n, true);
    return new Uint8Array(view.buffer);
  });
  const sectionNames = "\0.symtab\0.strtab\0";
  const parts = [concatBytes(table), utf8(names), utf8(sectionNames)];
  let at = body.length;
  const headers = [new Uint8Array(64)];
  for (const [i, part] of parts.entries()) {
    const view = new DataView(new ArrayBuffer(64));
    view.setUint32(0, [1, 9, 0][i], true);
    view.setUint32(4, [2, 3, 3][i], true);
    view.setBigUint64(24, BigInt(at), true);
    view.setBigUint64(32, BigInt(part.length), true);
    headers.push(new Uint8Array(view.buffer));
    at += part.length;
  }
  const elf = concatBytes([body, ...parts, ...headers]);
  const view = new DataView(elf.buffer);
  view.setBigUint64(40, BigInt(at), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, headers.length, true);
  view.setUint16(62, 3, true);
  return elf;
}

const SYMBOLS: readonly TestSymbol[] = [
  { name: "main", value: ADDRESS, type: STT.func },
  { name: "leaf", value: ADDRESS + 8, type: STT.func },
  { name: "table", value: ADDRESS + 9, type: STT.object },
  { name: "elsewhere", value: 0, type: STT.func, section: 0 },
];

test("functions are found by the symbol table of the file", () => {
  const code = readKernelCode(image([...FRAMED, ...BARE], SYMBOLS));
  assertEquals(
    [...code.symbols].map(({ name, address }) => [name, address]),
    [["main", 0x100_0000n], ["leaf", 0x100_0008n]],
  );
  assertEquals(code.symbols.find(0x100_0010n), null);
});

test("stacks can be followed if most functions set up a frame", () => {
  const framed = readKernelCode(image([...FRAMED, ...FRAMED], SYMBOLS));
  const bare = readKernelCode(image([...FRAMED, ...BARE], SYMBOLS));
  assertEquals([framed.framePointers, bare.framePointers], [true, false]);
});

test("of an image that names nothing the width is known", () => {
  const { symbols, names, framePointers, bits } = readKernelCode(elfImage());
  assertEquals([symbols.size, names, framePointers, bits], [0, [], false, 64]);
});
