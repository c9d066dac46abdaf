/**
 * The quick ways into and out of handlers, compiled once for a machine: what system/ calls before its plain ways.
 */

import type { LinearMemory, WasmHost } from "../../lib/wasm/port.ts";
import { Routine } from "../../lib/wasm/routine.ts";
import { ModuleWriter } from "../../lib/wasm/writer.ts";
import { CpuWords } from "./cpu_words.ts";
import {
  ENTRY_PARAMETERS,
  type EntryInputs,
  parameterInputs,
  writeLongEntry,
  writeProtectedEntry,
} from "./entry.ts";
import { writeLongReturn, writeProtectedReturn } from "./return.ts";

/**
 * Takes the linear offset of a CPU's state, and for entries what {@link ENTRY_PARAMETERS} names. Returns 1 when all
 * is done but `rip`, or 0 with nothing changed.
 */
export type QuickWay = (cpu: number, ...parameters: number[]) => number;

/** The quick ways of a machine; `protected` is with 32-bit paging structures or none, outside long mode. */
export interface QuickWays {
  readonly protectedEntry: QuickWay;
  readonly longEntry: QuickWay;
  readonly protectedReturn: QuickWay;
  readonly longReturn: QuickWay;
}

const ROUTINES: Readonly<Record<keyof QuickWays, readonly [(r: Routine) => void, number]>> = {
  protectedEntry: [entryBy(writeProtectedEntry), ENTRY_PARAMETERS.length],
  longEntry: [entryBy(writeLongEntry), ENTRY_PARAMETERS.length],
  protectedReturn: [returnBy(writeProtectedReturn), 0],
  longReturn: [returnBy(writeLongReturn), 0],
};

function entryBy(write: (words: CpuWords, inputs: EntryInputs) => void): (r: Routine) => void {
  return (r) => {
    const inputs = parameterInputs(r);
    write(new CpuWords(r, r.parameter(0)), inputs);
    r.done();
  };
}

function returnBy(write: (words: CpuWords) => void): (r: Routine) => void {
  return (r) => {
    write(new CpuWords(r, r.parameter(0)));
    r.done();
  };
}

/** Compiles the quick ways for the CPUs whose states lie in `linear`. */
export function compileQuickWays(host: WasmHost, linear: LinearMemory): QuickWays {
  const module = new ModuleWriter(linear.buffer.byteLength / 65536, 1);
  for (const [name, [write, parameters]] of Object.entries(ROUTINES)) {
    const { index, writer } = module.define({
      parameters: Array.from({ length: 1 + parameters }, () => "i32"),
      results: ["i32"],
    });
    write(new Routine(writer));
    module.export(name, index);
  }
  const imports = { memory: linear.handle, table: host.createTable(1) };
  return host.instantiate(module.toBytes(), imports) as unknown as QuickWays;
}
