/** What generated WebAssembly needs from the host; `testbed/` plugs it in. */

/** A linear memory and the host's object for it. */
export interface LinearMemory {
  readonly buffer: ArrayBufferLike;
  readonly handle: unknown;
}

/** A function that crosses between TypeScript and generated code; 64-bit arguments are BigInts. */
export type WasmFunction = (...args: never[]) => unknown;

/** Creates memories, tables and instances. */
export interface WasmHost {
  /** A memory with 64-bit addresses of a fixed size, a multiple of 65,536 bytes, zero-filled. */
  createMemory(sizeBytes: number): LinearMemory;
  /** A table of functions of a fixed size. */
  createTable(entries: number): unknown;
  /** Compiles and instantiates a module; its imports are named `env.*`. Returns its exports. */
  instantiate(
    module: Uint8Array,
    imports: Readonly<Record<string, unknown>>,
  ): Readonly<Record<string, unknown>>;
}
