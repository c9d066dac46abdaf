/** Names of a kernel's code and data, in both directions. */

import { type CodeSymbol, SymbolTable } from "../../core/lib/symbol_table.ts";
import type { KernelCode, NamedPlace } from "../../guests/linux/mod.ts";
import { closest } from "../suggestion.ts";

/** Names that are compared when a wrong one gets a suggestion. */
const MOST_COMPARED = 20_000;

/** The names of one machine's kernel. */
export class Symbols {
  readonly #byName = new Map<string, bigint>();
  readonly #code: SymbolTable;
  readonly #data: SymbolTable;

  constructor(readonly names: readonly NamedPlace[], code: SymbolTable) {
    this.#code = code;
    for (const { name, address } of names) {
      if (!this.#byName.has(name)) this.#byName.set(name, address);
    }
    const places: CodeSymbol[] = names.filter(({ isCode }) => !isCode)
      .map(({ name, address }) => ({ name, address, sizeBytes: 0 }));
    this.#data = new SymbolTable(places, 1n << 64n);
  }

  /** Those of a kernel's image; none if it names none. */
  static of(kernel: KernelCode | null): Symbols {
    return new Symbols(kernel?.names ?? [], kernel?.symbols ?? new SymbolTable([], 0n));
  }

  get size(): number {
    return this.#byName.size;
  }

  /** The address of a name, or `null`. */
  find(name: string): bigint | null {
    return this.#byName.get(name) ?? null;
  }

  /** The address of a name; throws `RangeError` with the closest one if there is none. */
  addressOf(name: string): bigint {
    const address = this.find(name);
    if (address !== null) return address;
    if (this.size === 0) throw new RangeError(`no symbols are known, so none is named ${name}`);
    const start = name.slice(0, 2);
    const alike = [...this.#byName.keys()].filter((each) => each.startsWith(start));
    const best = closest(name, alike.slice(0, MOST_COMPARED));
    const hint = best === undefined ? "" : `; did you mean ${best}?`;
    throw new RangeError(`no symbol is named ${name}${hint}`);
  }

  /** The function that holds an address, or `null`. */
  functionAt(address: bigint): CodeSymbol | null {
    return this.#code.find(address);
  }

  /** `name`, or `name+0x12`, of code, or with `isData` of whatever is named closest before it; `null` where nothing is. */
  nameAt(address: bigint, isData = false): string | null {
    const code = this.#code.find(address);
    const data = isData ? this.#data.find(address) : null;
    const isCloser = data !== null && (code === null || data.address > code.address);
    const symbol = isCloser ? data : code;
    if (symbol === null) return null;
    const offset = address - symbol.address;
    return offset === 0n ? symbol.name : `${symbol.name}+0x${offset.toString(16)}`;
  }
}
