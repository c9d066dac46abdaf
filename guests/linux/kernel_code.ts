/** What a kernel's image says about its code: names of functions, and whether stacks can be followed. */

import { type CodeSymbol, SymbolTable } from "../../core/lib/symbol_table.ts";
import { type Elf, type ElfSegment, parseElf } from "./elf.ts";
import { elfFunctions, elfNames } from "./elf_symbols.ts";
import { kernelCode, readKallsyms } from "./kallsyms.ts";

/** The code of a kernel. */
export interface KernelCode {
  readonly symbols: SymbolTable;
  /** Whether functions keep a chain of frame pointers, so that a stack can be followed without tables. */
  readonly framePointers: boolean;
  readonly bits: 32 | 64;
  /** Everything that has a name: functions, variables, places. */
  readonly names: readonly NamedPlace[];
}

/** A name and its linear address. */
export interface NamedPlace {
  readonly name: string;
  readonly address: bigint;
  readonly isCode: boolean;
}

/** How far into a function its frame is set up at the latest: behind ENDBR and the tracer's call. */
const PROLOGUE_BYTES = 16;
/** `push rbp; mov rbp, rsp` and `push ebp; mov ebp, esp`. */
const FRAME_SETUP = { 64: [0x55, 0x48, 0x89, 0xe5], 32: [0x55, 0x89, 0xe5] } as const;

/** The code of an ELF kernel; without names if it has neither a symbol table nor kallsyms. */
export function readKernelCode(image: Uint8Array): KernelCode {
  const elf = parseElf(image);
  const found = symbolsOf(image, elf) ?? { symbols: new SymbolTable([], 0n), names: [] };
  const { symbols } = found;
  return { ...found, framePointers: keepsFramePointers(symbols, elf), bits: elf.bits };
}

function symbolsOf(image: Uint8Array, elf: Elf): Pick<KernelCode, "symbols" | "names"> | null {
  const functions = elfFunctions(image);
  if (functions.length > 0) {
    const end = functions.reduce((last, each) => {
      const behind = each.address + BigInt(Math.max(1, each.sizeBytes));
      return behind > last ? behind : last;
    }, 0n);
    const code = new Set(functions.map(({ address }) => address));
    const names = elfNames(image).map(({ name, address }) => ({
      name,
      address,
      isCode: code.has(address),
    }));
    return { symbols: new SymbolTable(functions, end), names };
  }
  const kallsyms = readKallsyms(image, elf.bits);
  return kallsyms && {
    symbols: kernelCode(kallsyms),
    names: kallsyms.map(({ name, address, type }) => ({
      name,
      address,
      isCode: /[tTwW]/.test(type),
    })),
  };
}

/** Whether most functions begin by setting up a frame. */
function keepsFramePointers(symbols: SymbolTable, { bits, segments }: Elf): boolean {
  const setUp = FRAME_SETUP[bits];
  let framed = 0;
  for (const symbol of symbols) {
    const start = bytesAt(symbol, segments);
    if (start.some((_, i) => setUp.every((byte, j) => start[i + j] === byte))) framed++;
  }
  return framed > symbols.size / 2;
}

function bytesAt({ address }: CodeSymbol, segments: readonly ElfSegment[]): Uint8Array {
  const home = segments.find(({ virtualAddress, bytes }) =>
    address >= virtualAddress && address < virtualAddress + BigInt(bytes.length)
  );
  if (!home) return new Uint8Array();
  const at = Number(address - home.virtualAddress);
  return home.bytes.subarray(at, at + PROLOGUE_BYTES);
}
