/** Names of code by address. */

/** A place in code that has a name. */
export interface CodeSymbol {
  readonly name: string;
  /** Its first byte's linear address. */
  readonly address: bigint;
  /** 0 if unknown: then it reaches up to the next one. */
  readonly sizeBytes: number;
}

/** Symbols, found by an address within them. */
export class SymbolTable {
  readonly #symbols: readonly CodeSymbol[];

  /** Of several symbols at one address the first given counts. `end` is where the code ends. */
  constructor(symbols: readonly CodeSymbol[], private readonly end: bigint) {
    const first = new Map<bigint, CodeSymbol>();
    for (const symbol of symbols) {
      if (!first.has(symbol.address)) first.set(symbol.address, symbol);
    }
    this.#symbols = [...first.values()].sort((a, b) =>
      a.address < b.address ? -1 : a.address > b.address ? 1 : 0
    );
  }

  get size(): number {
    return this.#symbols.length;
  }

  /** By address. */
  [Symbol.iterator](): Iterator<CodeSymbol> {
    return this.#symbols[Symbol.iterator]();
  }

  /** The symbol that `address` lies in, or `null`. */
  find(address: bigint): CodeSymbol | null {
    if (address >= this.end) return null;
    let low = 0;
    let high = this.#symbols.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#symbols[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return null;
    const found = this.#symbols[low - 1];
    const isBeyond = found.sizeBytes > 0 && address >= found.address + BigInt(found.sizeBytes);
    return isBeyond ? null : found;
  }
}
