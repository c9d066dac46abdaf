/**
 * Samples of what a guest executes: where each CPU was every so many cycles.
 *
 * A bounded log: when it is full, every second instant is forgotten and the distance doubles, so that a long run
 * is seen as evenly as a short one.
 */

/** Where a CPU was. */
export interface CodePosition {
  /** Privilege level, 0 to 3. */
  readonly ring: number;
  /** Linear addresses: of the next instruction, then of the return points of its callers, innermost first. */
  readonly addresses: readonly bigint[];
}

/** One sample. */
export interface Sample {
  readonly cpu: number;
  /** The instant at which it was due; the instruction boundary may lie some cycles later. */
  readonly cycle: number;
  readonly position: CodePosition;
}

/** Samples that are kept at most. */
const DEFAULT_LIMIT = 1 << 20;

/** The samples of one machine, in the order in which they were taken. */
export class SampleLog {
  #everyCycles: number;
  readonly #positions: CodePosition[] = [];
  readonly #numbers = new Map<string, number>();
  /** Columns: the position's number, the CPU, and how many distances after cycle 0. */
  #position: number[] = [];
  #cpu: number[] = [];
  #instant: number[] = [];

  /** `everyCycles` is the distance to begin with; throws `RangeError` if it is not a positive whole number. */
  constructor(everyCycles: number, private readonly limit = DEFAULT_LIMIT) {
    if (!Number.isSafeInteger(everyCycles) || everyCycles < 1) {
      throw new RangeError(`samples are taken every 1 cycle or more, found ${everyCycles}`);
    }
    this.#everyCycles = everyCycles;
  }

  /** Distance of two samples of a CPU in cycles. */
  get everyCycles(): number {
    return this.#everyCycles;
  }

  get length(): number {
    return this.#position.length;
  }

  /** The first instant after `cycle` at which a sample is due. */
  nextAfter(cycle: number): number {
    return (Math.floor(cycle / this.#everyCycles) + 1) * this.#everyCycles;
  }

  /** Notes where a CPU is at `cycle`. */
  add(cpu: number, cycle: number, position: CodePosition): void {
    const key = `${position.ring} ${position.addresses.join(" ")}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#positions.push(position) - 1;
      this.#numbers.set(key, number);
    }
    this.#position.push(number);
    this.#cpu.push(cpu);
    this.#instant.push(Math.floor(cycle / this.#everyCycles));
    if (this.length > this.limit) this.#thin();
  }

  *[Symbol.iterator](): Generator<Sample> {
    for (let i = 0; i < this.length; i++) {
      yield {
        cpu: this.#cpu[i],
        cycle: this.#instant[i] * this.#everyCycles,
        position: this.#positions[this.#position[i]],
      };
    }
  }

  #thin(): void {
    const kept = this.#instant.map((instant) => instant % 2 === 0);
    const isKept = (_: number, i: number) => kept[i];
    this.#position = this.#position.filter(isKept);
    this.#cpu = this.#cpu.filter(isKept);
    this.#instant = this.#instant.filter(isKept).map((instant) => instant / 2);
    this.#everyCycles *= 2;
  }
}
