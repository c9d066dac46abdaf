/** The host's WebAssembly, as `core` asks for it. */

import type { LinearMemory, WasmHost } from "../core/lib/wasm/port.ts";

const PAGE_BYTES = 65536;

/** A memory whose addresses are 64 bits wide; TypeScript's library does not describe it yet. */
interface Memory64Descriptor {
  readonly initial: bigint;
  readonly maximum: bigint;
  readonly address: "i64";
}

const Memory64 = WebAssembly.Memory as unknown as new (
  descriptor: Memory64Descriptor,
) => WebAssembly.Memory;

/** Compiles generated code with the V8 that runs this program. */
export const wasmHost: WasmHost = {
  createMemory(sizeBytes: number): LinearMemory {
    const pages = BigInt(Math.ceil(sizeBytes / PAGE_BYTES));
    try {
      const memory = new Memory64({ initial: pages, maximum: pages, address: "i64" });
      return { buffer: memory.buffer, handle: memory };
    } catch (error) {
      throw new RangeError(
        `the host cannot give a machine ${sizeBytes} bytes of memory: ${(error as Error).message}`,
      );
    }
  },

  createTable(entries: number): unknown {
    return new WebAssembly.Table({ initial: entries, maximum: entries, element: "anyfunc" });
  },

  instantiate(module, imports) {
    const compiled = new WebAssembly.Module(module as Uint8Array<ArrayBuffer>);
    return new WebAssembly.Instance(compiled, { env: imports as WebAssembly.ModuleImports })
      .exports;
  },
};
