/**
 * The reference engine: one instruction at a time, decoded afresh and evaluated by the plain reading of
 * its program. It is the twin of all other engines, and steps where they cannot go.
 */

import { type Cpu, GUEST_FAULT } from "../cpu.ts";
import type { CodeStops } from "../debugging/code_stops.ts";
import type { Decoder } from "../decode/decoder.ts";
import type { Instruction } from "../ir/instruction.ts";
import { decodeMode } from "../decode/mode.ts";
import type { Engine } from "../engine.ts";
import { type Evaluation, type EvaluationPort, Outcome, prepare } from "../ir/evaluate.ts";
import { Exception } from "../state/bits.ts";
import type { CpuState } from "../state/cpu_state.ts";
import { offsetOf, Status } from "../state/layout.ts";
import type { SystemFunctions } from "../system/functions.ts";

const BUDGET = offsetOf("budget") >> 2;
const PAGE = 4096;
const LONGEST = 15;

/** Gives the evaluator the memory and the system functions of one CPU. */
class CpuPort implements EvaluationPort {
  readonly state: CpuState;

  constructor(private readonly cpu: Cpu, private readonly functions: SystemFunctions) {
    this.state = cpu.state;
  }

  load(linear: bigint, size: number, forWrite: boolean): boolean {
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    const { mmu } = this.cpu;
    return forWrite ? mmu.readForWriteSlow(low, high, size) : mmu.readSlow(low, high, size);
  }

  store(linear: bigint, size: number): boolean {
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    return this.cpu.mmu.writeSlow(low, high, size);
  }

  system(name: string): boolean {
    return this.functions.call(this.cpu, this.functions.idOf(name));
  }
}

/** Executes by evaluation. */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  readonly counters = {};
  readonly #evaluations: Evaluation[] = [];
  readonly #ports = new Map<Cpu, CpuPort>();
  readonly #bytes = new Uint8Array(LONGEST);

  /** `stops`: where a debugger wants to look; null: nowhere. */
  constructor(
    private readonly decoder: Decoder,
    private readonly functions: SystemFunctions,
    private readonly stops: CodeStops | null = null,
  ) {}

  run(cpu: Cpu): void {
    const { state } = cpu;
    while (state.i32[BUDGET] > 0 && state.status === Status.none) {
      this.step(cpu);
      if (state.status === Status.none && this.stops?.any && this.stops.isAt(state)) return;
    }
  }

  invalidate(): void {}

  /**
   * Executes one instruction (one iteration under REP), or leaves its exception pending. Another `port` than the
   * CPU's own stands between the instruction and memory.
   */
  step(cpu: Cpu, port: EvaluationPort = this.portOf(cpu)): void {
    const { state } = cpu;
    state.fastPaths = 0;
    const instruction = this.#fetch(cpu);
    if (instruction === null) return;
    state.nextRip = (state.rip + BigInt(instruction.length)) & state.ipMask;
    let evaluation = this.#evaluations[instruction.bound.index];
    if (!evaluation) {
      evaluation = prepare(instruction.bound.program, instruction.bound.form);
      this.#evaluations[instruction.bound.index] = evaluation;
    }
    const outcome = evaluation(port, instruction);
    if (outcome === Outcome.fault) return;
    if (outcome !== Outcome.repeat) state.rip = state.nextRip;
    state.i32[BUDGET]--;
  }

  /** The memory and the system functions of a CPU, as instructions reach them. */
  portOf(cpu: Cpu): EvaluationPort {
    let port = this.#ports.get(cpu);
    if (!port) this.#ports.set(cpu, port = new CpuPort(cpu, this.functions));
    return port;
  }

  /** Fetches and decodes the instruction at `rip`; null with an exception pending. */
  #fetch(cpu: Cpu): Instruction | null {
    const { state } = cpu;
    const mode = decodeMode(state.modeKey);
    const first = this.#linear(state, 0);
    const room = PAGE - Number(first & 0xfffn);
    let count = Math.min(room, LONGEST);
    if (!this.#fetchBytes(cpu, 0, count)) return null;
    let result = this.decoder.decode(this.#bytes, 0, count, mode);
    if (result === "truncated") {
      if (!this.#fetchBytes(cpu, count, LONGEST)) return null;
      count = LONGEST;
      result = this.decoder.decode(this.#bytes, 0, count, mode);
    }
    if (result === "undefined") return this.#raise(cpu, Exception.UD);
    if (result === "too long" || result === "truncated") return this.#raise(cpu, Exception.GP, 0);
    if (state.rip + BigInt(result.length - 1) > state.codeLast) {
      return this.#raise(cpu, Exception.GP, 0);
    }
    return result;
  }

  #linear(state: CpuState, ahead: number): bigint {
    const linear = state.rip + BigInt(ahead) + state.csBase;
    return (state.modeKey & 1) !== 0 ? BigInt.asUintN(64, linear) : linear & 0xffffffffn;
  }

  /** Fetches instruction bytes [from, to), which lie in one page; false with an exception pending. */
  #fetchBytes(cpu: Cpu, from: number, to: number): boolean {
    const { state } = cpu;
    if (state.rip + BigInt(from) > state.codeLast) {
      this.#raise(cpu, Exception.GP, 0);
      return false;
    }
    const linear = this.#linear(state, from);
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    const physical = cpu.mmu.fetchAddress(low, high);
    if (physical < 0) return false;
    for (let i = from; i < to; i++) this.#bytes[i] = cpu.memory.read(physical + i - from, 1);
    return true;
  }

  #raise(cpu: Cpu, vector: number, errorCode = -1): null {
    try {
      cpu.raise(vector, errorCode);
    } catch (thrown) {
      if (thrown !== GUEST_FAULT) throw thrown;
      return null;
    }
  }
}
