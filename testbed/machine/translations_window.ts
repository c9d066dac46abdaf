/**
 * What the hot tier made of guest code, for people: each region as guest code, as the meaning of its instructions and
 * as WebAssembly, with how often it was entered and left. Looking changes nothing.
 */

import { functionText } from "../../core/lib/wasm/text.ts";
import { FRAME_BYTES, type MachineMemory } from "../../core/memory/machine_memory.ts";
import { HotEngine, type RegionBlock, type TranslatedRegion } from "../../core/translate/mod.ts";
import { HANDLER } from "../../core/x86/cold/handler_code.ts";
import { programText } from "../../core/x86/ir/text.ts";
import type { Processors } from "../../core/x86/processors.ts";
import { ModeKey } from "../../core/x86/system/mod.ts";
import { disassembleBytes } from "../disassembler.ts";
import type { RegionExit, RegionView, TranslationsView } from "../machine_api.ts";
import { printAs } from "../tables.ts";
import { listRegions } from "../views.ts";

/** The regions of one machine. */
export class TranslationsWindow implements TranslationsView {
  readonly #processors: Processors;
  readonly #memory: MachineMemory;

  constructor(processors: Processors, memory: MachineMemory) {
    this.#processors = processors;
    this.#memory = memory;
  }

  list(): readonly RegionView[] {
    return this.#regions()
      .map((region) => new RegionWindow(region, this.#memory))
      .sort((a, b) => (b.executions ?? 0) - (a.executions ?? 0) || a.address - b.address);
  }

  find(address: bigint, cpu = 0): readonly RegionView[] {
    const { cpus } = this.#processors;
    if (!cpus[cpu]) throw new RangeError(`there is no CPU ${cpu}; there are ${cpus.length}`);
    const physical = cpus[cpu].mmu.peek(
      Number(BigInt.asIntN(32, address)),
      Number(BigInt.asIntN(32, address >> 32n)),
    );
    const linear = physical < 0 ? -1 : this.#memory.readableLinear(physical);
    const code = linear < 0 ? -1 : this.#memory.codeHomes.codeAt(linear);
    return this.#regions()
      .filter(({ region: { page, blocks } }) =>
        [...blocks.values()].some(({ instructions }) =>
          instructions.some(({ offset }) => page + offset === code)
        )
      )
      .map((region) => new RegionWindow(region, this.#memory));
  }

  #regions(): TranslatedRegion[] {
    const { engine } = this.#processors;
    return engine instanceof HotEngine ? engine.regions() : [];
  }
}

/** One region. Its code is read when it is asked for: a region that was dropped since may show other code. */
class RegionWindow implements RegionView {
  readonly #translated: TranslatedRegion;
  readonly #memory: MachineMemory;
  /** Physical address of its page. */
  readonly #page: number;
  readonly executions: number | null;
  readonly exits: readonly RegionExit[] | null;

  constructor(translated: TranslatedRegion, memory: MachineMemory) {
    this.#translated = translated;
    this.#memory = memory;
    const { region, counts } = translated;
    this.#page = memory.addressOf(region.page);
    const entered = counts.find(({ reason }) => reason === "entered");
    this.executions = entered?.count ?? null;
    this.exits = entered === undefined ? null : counts
      .filter(({ reason, count }) => reason !== "entered" && count > 0)
      .map(({ reason, code, count }) => ({
        reason,
        address: this.#page + code - region.page,
        count,
      }))
      .sort((a, b) => b.count - a.count || a.address - b.address);
  }

  get address(): number {
    return this.#page + this.#translated.region.entries[0];
  }

  get bits(): 32 | 64 {
    return (this.#translated.region.modeKey & ModeKey.long) !== 0 ? 64 : 32;
  }

  get user(): boolean {
    return (this.#translated.region.modeKey & ModeKey.user) !== 0;
  }

  get blocks(): number {
    return this.#translated.region.blocks.size;
  }

  get instructions(): number {
    return [...this.#translated.region.blocks.values()]
      .reduce((sum, { instructions }) => sum + instructions.length, 0);
  }

  async text(): Promise<string> {
    const { region, body } = this.#translated;
    const lines = [listRegions([this])];
    for (const { reason, address, count } of this.exits ?? []) {
      lines.push(`left ${count} times at 0x${address.toString(16)}: ${reason}`);
    }
    const blocks = [...region.blocks.values()].sort((a, b) => a.offset - b.offset);
    for (const block of blocks) {
      const isEntry = region.entries.includes(block.offset);
      lines.push("", `block${isEntry ? ", an entry" : ""}`, ...await this.#blockText(block));
    }
    lines.push(
      "",
      ...body === null ? ["(its WebAssembly was not kept)"] : functionText(body, HANDLER),
    );
    return lines.join("\n");
  }

  /** Each instruction, and below it what it means. */
  async #blockText({ offset, end, instructions }: RegionBlock): Promise<string[]> {
    const bytes = new Uint8Array(Math.min(end, FRAME_BYTES) - offset);
    const from = this.#page + offset;
    bytes.forEach((_, i) => bytes[i] = this.#memory.read(from + i, 1));
    const listed = await disassembleBytes(bytes, BigInt(from), this.bits);
    const texts = new Map(listed.map(({ address, text }) => [Number(address), text]));
    return instructions.flatMap(({ offset, instruction }) => {
      const address = this.#page + offset;
      const meaning = programText(instruction.bound.program, instruction);
      return [
        `  0x${address.toString(16)}  ${texts.get(address) ?? "(changed)"}`,
        ...meaning.map((line) => `      ${line}`),
      ];
    });
  }
}

printAs(RegionWindow.prototype, (region) => listRegions([region]));
