/**
 * The symbols that a Linux kernel carries for its own use, found in its image.
 *
 * Distribution kernels have no ELF symbol table, but nearly all are built with `CONFIG_KALLSYMS`. Its tables have no
 * names of their own either; they are found by what they must contain, and by how they follow each other
 * (`scripts/kallsyms.c`, "write_src"; this is the order up to Linux 6.3):
 *
 * ```text
 * kallsyms_offsets        i32 each        addresses, see `addressesOf`
 * kallsyms_relative_base  pointer
 * kallsyms_num_syms       u32
 * kallsyms_names          (length, that many token numbers) each
 * kallsyms_markers        u32 each        where every 256th name starts
 * kallsyms_seqs_of_names  3 bytes each    Linux 6.2 and later
 * kallsyms_token_table    256 strings, each with a closing NUL
 * kallsyms_token_index    u16 each        where each token starts
 * ```
 *
 * Each table starts at a multiple of the pointer's size. The first letter of a name is its type, as `nm` prints it.
 */

import { type CodeSymbol, SymbolTable } from "../../core/lib/symbol_table.ts";

/** One line of `/proc/kallsyms`. */
export interface KernelSymbol {
  readonly address: bigint;
  /** As `nm` prints it: `T` and `t` are code. */
  readonly type: string;
  readonly name: string;
}

const TOKENS = 256;
const MARKED = 256;
/** Longest name, in tokens, that is believed: `KSYM_NAME_LEN`. */
const MAX_NAME_TOKENS = 512;
const MAX_SYMBOLS = 4_000_000;
/** Single characters are tokens themselves, and digits occur in names of every kernel. */
const DIGITS = Uint8Array.from("0123456789", (digit) => digit.charCodeAt(0));

interface Names {
  /** Offset of `kallsyms_num_syms`. */
  readonly at: number;
  readonly names: readonly string[];
}

/** The symbols of an uncompressed kernel image of `bits` bits, in order of address; `null` if none are found. */
export function readKallsyms(image: Uint8Array, bits: 32 | 64): readonly KernelSymbol[] | null {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (const table of tokenTables(image)) {
    const tokens = tokensAt(image, view, table, bits);
    const found = tokens && findNames(view, table, tokens, bits);
    const addresses = found && addressesOf(view, found, bits);
    if (addresses) {
      return found.names.map((name, i) => ({
        address: addresses[i],
        type: name[0],
        name: name.slice(1),
      }));
    }
  }
  return null;
}

/** The code among `symbols`. */
export function kernelCode(symbols: readonly KernelSymbol[]): SymbolTable {
  const code: CodeSymbol[] = symbols
    .filter(({ type }) => /[tTwW]/.test(type))
    .map(({ address, name }) => ({ address, name, sizeBytes: 0 }));
  const ends = ["_etext", "_einittext"];
  const end = symbols.filter(({ name }) => ends.includes(name))
    .reduce((last, { address }) => address > last ? address : last, 0n);
  return new SymbolTable(code, end);
}

/** Where a token table may start. */
function* tokenTables(image: Uint8Array): Generator<number> {
  const isDigitRun = (at: number) =>
    DIGITS.every((digit, i) => image[at + 2 * i] === digit && image[at + 2 * i + 1] === 0);
  for (let at = image.indexOf(DIGITS[0]); at >= 0; at = image.indexOf(DIGITS[0], at + 1)) {
    if (!isDigitRun(at)) continue;
    const start = stringsBefore(image, at, DIGITS[0]);
    if (start >= 0) yield start;
  }
}

/** Start of the `count` strings that end at `at`; -1 if there cannot be so many. */
function stringsBefore(image: Uint8Array, at: number, count: number): number {
  let start = at;
  for (let i = 0; i < count; i++) {
    if (start === 0 || image[start - 1] !== 0) return -1;
    let from = start - 1;
    while (from > 0 && image[from - 1] !== 0) {
      if (start - --from > MAX_NAME_TOKENS) return -1;
    }
    start = from;
  }
  return start;
}

/** The tokens of the table at `start`, if the index that must follow it fits. */
function tokensAt(
  image: Uint8Array,
  view: DataView,
  start: number,
  bits: 32 | 64,
): readonly string[] | null {
  const tokens: string[] = [];
  const starts: number[] = [];
  let at = start;
  while (tokens.length < TOKENS) {
    const end = image.indexOf(0, at);
    if (end < 0) return null;
    starts.push(at - start);
    tokens.push(String.fromCharCode(...image.subarray(at, Math.min(end, at + MAX_NAME_TOKENS))));
    at = end + 1;
  }
  const index = alignUp(at, bits / 8);
  if (index + 2 * TOKENS > image.length) return null;
  return starts.every((offset, i) => view.getUint16(index + 2 * i, true) === offset)
    ? tokens
    : null;
}

/** The names whose tables lie before the token table at `table`. */
function findNames(
  view: DataView,
  table: number,
  tokens: readonly string[],
  bits: 32 | 64,
): Names | null {
  const align = bits / 8;
  const bound = Math.max(0, table - MAX_SYMBOLS * 16);
  // Going back from the token table, the count is the first word that the names behind it bear out.
  for (let at = table - (table % align) - align; at >= bound; at -= align) {
    const count = view.getUint32(at, true);
    if (count < MARKED || count > (table - at) / 2) continue;
    const names = namesFrom(view, at + align, count, table, tokens, align);
    if (names) return { at, names };
  }
  return null;
}

/** `count` names, if every 256th starts where the markers behind them say. */
function namesFrom(
  view: DataView,
  start: number,
  count: number,
  limit: number,
  tokens: readonly string[],
  align: number,
): string[] | null {
  const names: string[] = [];
  const marked: number[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (i % MARKED === 0) marked.push(at - start);
    let length = view.getUint8(at++);
    // A long name: seven bits more follow. Linux 6.1 and later.
    if (length >= 0x80) length = (length & 0x7f) | (view.getUint8(at++) << 7);
    if (length === 0 || length > MAX_NAME_TOKENS || at + length > limit) return null;
    let name = "";
    for (const end = at + length; at < end; at++) name += tokens[view.getUint8(at)];
    names.push(name);
  }
  const markers = alignUp(at, align);
  if (markers + 4 * marked.length > limit) return null;
  return marked.every((offset, i) => view.getUint32(markers + 4 * i, true) === offset)
    ? names
    : null;
}

/**
 * Addresses from `kallsyms_offsets`. With `CONFIG_KALLSYMS_ABSOLUTE_PERCPU` a value that is not negative is an
 * address itself, and others count down from the base less one; without it all count up from the base.
 */
function addressesOf(view: DataView, { at, names }: Names, bits: 32 | 64): bigint[] | null {
  const align = bits / 8;
  const baseAt = at - align;
  const start = baseAt - alignUp(4 * names.length, align);
  if (start < 0) return null;
  const base = bits === 64 ? view.getBigUint64(baseAt, true) : BigInt(view.getUint32(baseAt, true));
  const offsets = names.map((_, i) => view.getInt32(start + 4 * i, true));
  const countsDown = offsets.some((offset) => offset < 0);
  const addresses = offsets.map((offset) => {
    if (!countsDown) return base + BigInt(offset >>> 0);
    return offset >= 0 ? BigInt(offset) : base - 1n - BigInt(offset);
  });
  const isSorted = addresses.every((address, i) => i === 0 || address >= addresses[i - 1]);
  return isSorted ? addresses : null;
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
