/**
 * The cold tier: an interpreter in WebAssembly, generated from the instructions' programs.
 *
 * Handlers are made when their form is first met, in modules that all contain the same runtime; when
 * their number has doubled they are made again in one module, so that few modules exist.
 */

import { invariant } from "../../lib/assert.ts";
import type { LinearMemory, WasmHost } from "../../lib/wasm/port.ts";
import { ModuleWriter } from "../../lib/wasm/writer.ts";
import { FRAME_BYTES } from "../../memory/machine_memory.ts";
import type { Cpu } from "../cpu.ts";
import type { CodeStops } from "../debugging/code_stops.ts";
import type { Decoder } from "../decode/decoder.ts";
import type { BoundForm } from "../ir/instruction.ts";
import type { Engine } from "../engine.ts";
import { compileQuickFunctions } from "../quick/quick_functions.ts";
import type { ReferenceEngine } from "../reference/reference_engine.ts";
import { offsetOf, Status } from "../state/layout.ts";
import type { SystemFunctions } from "../system/functions.ts";
import { Counter, TablePart } from "./block_table.ts";
import {
  CodeCache,
  type CodeCachePlan,
  type CodeOverlay,
  NO_BLOCK,
  templatesBase,
} from "./code_cache.ts";
import { codeOffset } from "./code_offset.ts";
import { CrossingBlocks } from "./crossing_blocks.ts";
import { compileQuickBlocks } from "./quick_blocks.ts";
import { writeHandler } from "./handler.ts";
import { DEFAULT_PASSES } from "./passing.ts";
import {
  FIRST_FORM_HANDLER,
  FIRST_QUICK_ENTRY,
  FixedHandler,
  HANDLER_TABLE_ENTRIES,
} from "./record.ts";
import { HANDLER } from "./handler_code.ts";
import { defineRuntime } from "./runtime.ts";

const BUDGET = offsetOf("budget") >> 2;
const FAST_PATHS = offsetOf("fastPaths") >> 2;
const RIP = offsetOf("rip");
const CODE_LAST = offsetOf("codeLast");
const BLOCK_BYTES_LIMIT = 4096;
const FIRST_CONSOLIDATION = 48;

type Enter = (cpu: number, budget: number) => void;

/** What the cold engine is made of. */
export interface ColdEngineParts {
  readonly host: WasmHost;
  readonly linear: LinearMemory;
  readonly cpus: readonly Cpu[];
  readonly decoder: Decoder;
  readonly functions: SystemFunctions;
  readonly reference: ReferenceEngine;
  readonly plan: CodeCachePlan;
  /** What stands above the cold tier: translations of what is hot. Absent: nothing does. */
  readonly overlay?: CodeOverlay;
  /** Where a debugger wants to look. Absent: nowhere. */
  readonly stops?: CodeStops;
  /** Whether nobody else keeps code of this memory, so that stores to code need no observer. */
  readonly isAlone?: boolean;
  /** Linear offset of a log (trap_log.ts) that somebody takes traps from. Absent: TypeScript delivers all. */
  readonly trapLog?: number;
  /** Arrivals at a place before its code gets a block (passing.ts), at most {@link ALWAYS_PASSES}; by default {@link DEFAULT_PASSES}. */
  readonly passes?: number;
}

/** Executes by generated handlers. */
export class ColdEngine implements Engine {
  readonly name = "cold";
  readonly cache: CodeCache;
  readonly #parts: ColdEngineParts;
  readonly #crossing: CrossingBlocks;
  /** The function table, for translations to stand in. */
  readonly table: unknown;
  readonly #imports: Readonly<Record<string, unknown>>;
  readonly #pending: BoundForm[] = [];
  readonly #known: BoundForm[] = [];
  #consolidateAt = FIRST_CONSOLIDATION;
  #enter: Enter | null = null;
  /** Modules compiled so far. */
  modules = 0;

  constructor(parts: ColdEngineParts) {
    this.#parts = parts;
    this.table = parts.host.createTable(HANDLER_TABLE_ENTRIES);
    this.#imports = this.#makeImports();
    this.cache = new CodeCache(
      parts.cpus[0].memory,
      parts.plan,
      parts.decoder,
      (bound) => this.#handlerOf(bound),
      parts.overlay ?? null,
      parts.stops ?? null,
    );
    this.cache.sharing.onMove = (page, home) => this.#leadFetches(page, home);
    this.cache.templates.prepare(parts.decoder);
    this.#crossing = new CrossingBlocks(parts.linear.buffer, this.cache, parts.decoder);
    this.cache.quickFind = compileQuickBlocks(
      parts.host,
      parts.linear,
      parts.cpus[0].memory,
      parts.plan,
      { handle: this.table, entries: HANDLER_TABLE_ENTRIES },
      parts.overlay?.counted ?? null,
      parts.passes ?? DEFAULT_PASSES,
    );
    compileQuickFunctions(parts.host, parts.linear, parts.cpus[0].memory, parts.trapLog ?? 0, {
      handle: this.table,
      entries: HANDLER_TABLE_ENTRIES,
      firstEntry: FIRST_QUICK_ENTRY,
    });
    this.#compile([], true);
  }

  run(cpu: Cpu): void {
    const { state } = cpu;
    state.u32[FAST_PATHS] = 1;
    this.#enter!(state.base, state.i32[BUDGET]);
  }

  get counters() {
    const { evictions, reuses } = this.cache;
    return { modules: this.modules, evictions, reuses };
  }

  invalidate(): void {
    this.cache.clear();
  }

  #handlerOf(bound: BoundForm): number {
    const handler = FIRST_FORM_HANDLER + bound.index;
    invariant(handler < HANDLER_TABLE_ENTRIES, "the handler table is full");
    if (this.#known[bound.index] === undefined) {
      this.#known[bound.index] = bound;
      this.#pending.push(bound);
    }
    return handler;
  }

  /** Makes the handlers of forms met since the last call. */
  compilePending(): void {
    if (this.#pending.length === 0) return;
    const count = this.#known.length;
    if (count >= this.#consolidateAt) {
      this.#consolidateAt = count * 2;
      this.#compile(this.#known.filter((bound) => bound !== undefined), true);
    } else this.#compile(this.#pending, false);
    this.#pending.length = 0;
  }

  /** `isWhole`: the module has all handlers, so that its runtime is the one to enter and to fall back on. */
  #compile(forms: readonly BoundForm[], isWhole: boolean): void {
    const { host, linear, functions, plan, cpus, isAlone } = this.#parts;
    const module = new ModuleWriter(linear.buffer.byteLength / 65536, HANDLER_TABLE_ENTRIES);
    const { codeLinesOfPage0 } = cpus[0].memory;
    const runtime = defineRuntime(module, {
      lookupBase: plan.lookupBase,
      reuses: plan.tablesBase + TablePart.counters + 4 * Counter.reuses,
      codeLinesOfPage0,
      dropsBlocks: isAlone === true,
      templates: templatesBase(plan),
    });
    if (isWhole) {
      const { fallThrough, stale, count, next, link } = runtime;
      module.element(FixedHandler.fallThrough, [fallThrough, stale, count, next, link]);
    }
    for (const bound of forms) {
      const { index, writer } = module.define(HANDLER);
      writeHandler(writer, bound, runtime, (name) => functions.idOf(name));
      module.element(FIRST_FORM_HANDLER + bound.index, [index]);
    }
    const exports = host.instantiate(module.toBytes(), this.#imports);
    if (isWhole) this.#enter = exports.enter as Enter;
    this.modules++;
  }

  #makeImports(): Readonly<Record<string, unknown>> {
    const { cpus, linear, functions } = this.#parts;
    return {
      memory: linear.handle,
      table: this.table,
      findBlock: (cpu: number, from: number) => this.#findBlock(cpus[cpu], from),
      readSlow: (cpu: number, low: number, high: number, size: number) =>
        cpus[cpu].mmu.readSlow(low, high, size) ? 1 : 0,
      readForWriteSlow: (cpu: number, low: number, high: number, size: number) =>
        cpus[cpu].mmu.readForWriteSlow(low, high, size) ? 1 : 0,
      writeSlow: (cpu: number, low: number, high: number, size: number) =>
        cpus[cpu].mmu.writeSlow(low, high, size) ? 1 : 0,
      hot: (cpu: number, record: number) => this.#hot(cpus[cpu], record >>> 0),
      system: (cpu: number, id: number) => functions.call(cpus[cpu], id) ? 1 : 0,
    };
  }

  /** The block of `record`, which begins at `rip`, has been executed often. */
  #hot(cpu: Cpu, record: number): void {
    const code = codeOffset(cpu);
    const block = code < 0 ? null : this.cache.peek(code, cpu.state.modeKey);
    if (block?.record !== record || this.cache.sharing.join(Math.floor(code / FRAME_BYTES))) return;
    this.#parts.overlay?.hot(block);
  }

  /** Code of linear page `page` is fetched from page `home` from now on. */
  #leadFetches(page: number, home: number): void {
    for (const { mmu, memory } of this.#parts.cpus) {
      for (const bank of mmu.banks) {
        bank.leadFetches((frame) => memory.readMap[frame] === page, home);
      }
    }
  }

  /** The record to continue with at `rip`, or NO_BLOCK when the engine must return. `from`: see runtime.ts. */
  #findBlock(cpu: Cpu, from: number): number {
    const { state } = cpu;
    const { cache } = this;
    let jump = from;
    const { stops } = this.#parts;
    while (state.i32[BUDGET] > 0 && state.status === Status.none) {
      if (stops?.any && stops.isAt(state)) {
        state.status = Status.stop;
        break;
      }
      const code = codeOffset(cpu);
      if (state.status !== Status.none) return NO_BLOCK;
      if (code >= 0) {
        const { reuses } = cache;
        const isWithinLimit = this.#withinLimit(cpu);
        if (isWithinLimit && !stops?.any) {
          const crossing = this.#crossing.find(cpu, code);
          if (crossing !== NO_BLOCK || state.status !== Status.none) {
            this.compilePending();
            return crossing;
          }
        }
        const record = cache.find(code, state.modeKey);
        if (record !== NO_BLOCK && isWithinLimit) {
          this.compilePending();
          if (jump !== NO_BLOCK && cache.reuses === reuses) cache.link(jump, record);
          return record;
        }
        this.compilePending();
      }
      jump = NO_BLOCK;
      this.#parts.reference.step(cpu);
      state.fastPaths = 1;
    }
    return NO_BLOCK;
  }

  /** Whether no block at `rip` can reach beyond the code segment's limit. */
  #withinLimit({ state }: Cpu): boolean {
    if (state.high(CODE_LAST) === -1) return true;
    return (state.low(RIP) >>> 0) + BLOCK_BYTES_LIMIT <= (state.low(CODE_LAST) >>> 0) + 1;
  }
}
