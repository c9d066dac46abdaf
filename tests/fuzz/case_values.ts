/**
 * Random contents of registers and memory: pools of values at the boundaries of integers and floats, from which a case
 * takes many at little cost.
 */

import { binary32, binary64, extended80 } from "../../core/x86/softfloat/mod.ts";
import { boundaryBits, boundaryFloat, floatInRange, type Random } from "./softfloat_operands.ts";
import { FX_BYTES, type HostCpu } from "./host_process.ts";

/** What sixteen bytes hold. */
const FLAVOURS = ["noise", "integers", "singles", "doubles", "extended", "ordinary"] as const;
export type Flavour = (typeof FLAVOURS)[number];

/** Chunks of sixteen bytes in the pool of each flavour. */
const POOL_CHUNKS = 1024;

const LANES = [8n, 16n, 32n, 64n] as const;

function lanes(width: bigint, lane: () => bigint): bigint {
  let value = 0n;
  for (let at = 0n; at < 128n; at += width) value |= lane() << at;
  return value;
}

function chunkOf(random: Random, flavour: Flavour): bigint {
  switch (flavour) {
    case "noise":
      return random.bits(128);
    case "integers": {
      const width = random.pick(LANES);
      return lanes(width, () => boundaryBits(random, Number(width)));
    }
    case "singles":
      return lanes(32n, () => boundaryFloat(random, binary32));
    case "doubles":
      return lanes(64n, () => boundaryFloat(random, binary64));
    case "extended":
      return boundaryFloat(random, extended80);
    case "ordinary":
      // Of the three formats, so that most operations on two of them are neither exact nor exceptional.
      switch (random.below(4)) {
        case 0:
          return lanes(32n, () => floatInRange(random, binary32, -20, 40));
        case 1:
          return lanes(64n, () => floatInRange(random, binary64, -20, 70));
        default:
          return floatInRange(random, extended80, -40, 70);
      }
  }
}

/** Pools of values. */
export class CaseValues {
  readonly #pools = new Map<Flavour, Uint32Array>();

  /** What follows unmasked x87 exceptions and #AC is partly `vendor`'s own: only Intel's CPUs are asked. */
  constructor(readonly random: Random, private readonly vendor: HostCpu["vendor"]) {
    for (const flavour of FLAVOURS) this.#pools.set(flavour, new Uint32Array(4 * POOL_CHUNKS));
    this.#renew(POOL_CHUNKS);
  }

  /** Replaces a part of every pool. */
  refresh(): void {
    this.#renew(POOL_CHUNKS >> 3);
  }

  /** A flavour for a case. */
  flavour(): Flavour {
    return this.random.pick(FLAVOURS);
  }

  /** Whether a case is to check alignment. */
  checksAlignment(): boolean {
    return this.vendor === "intel" && this.random.below(32) === 0;
  }

  /** Writes a chunk of `flavour` to the four words at `at`. */
  chunk(flavour: Flavour, words: Uint32Array, at: number): void {
    const pool = this.#pools.get(flavour)!;
    const from = 4 * this.random.below(POOL_CHUNKS);
    for (let i = 0; i < 4; i++) words[at + i] = pool[from + i];
  }

  /** Writes a general register's value: a number at a boundary, a small one, or noise. */
  general(words: Uint32Array, at: number): void {
    const { random } = this;
    const kind = random.below(8);
    if (kind === 0) {
      words[at] = random.below(70);
      words[at + 1] = 0;
    } else {
      const pool = this.#pools.get(kind < 4 ? "noise" : "integers")!;
      const from = 2 * random.below(2 * POOL_CHUNKS);
      words[at] = pool[from];
      words[at + 1] = pool[from + 1];
    }
  }

  /** Writes the start of an FXSAVE image to the words at `at`. */
  floating(flavour: Flavour, words: Uint32Array, at: number): void {
    const { random } = this;
    words.fill(0, at, at + (FX_BYTES >> 2));
    const isMasked = this.vendor !== "intel" || random.below(3) > 0;
    const control = random.below(2) === 0 ? 0x37f : randomControl(random, isMasked);
    words[at] = control | (randomStatus(random, control) << 16);
    words[at + 1] = random.below(10) < 7 ? 0xff : random.below(256);
    words[at + 6] = randomMxcsr(random);
    for (let i = 0; i < 8; i++) {
      const extended = random.below(2) === 0 ? "ordinary" : "extended";
      this.chunk(random.below(8) === 0 ? "integers" : extended, words, at + 8 + 4 * i);
      words[at + 10 + 4 * i] &= 0xffff;
      words[at + 11 + 4 * i] = 0;
    }
    for (let i = 0; i < 16; i++) {
      this.chunk(random.below(4) === 0 ? this.flavour() : flavour, words, at + 40 + 4 * i);
    }
  }

  #renew(chunks: number): void {
    for (const flavour of FLAVOURS) {
      const pool = this.#pools.get(flavour)!;
      for (let i = 0; i < chunks; i++) {
        const at = 4 * (chunks === POOL_CHUNKS ? i : this.random.below(POOL_CHUNKS));
        const value = chunkOf(this.random, flavour);
        for (let w = 0; w < 4; w++) {
          pool[at + w] = Number(BigInt.asUintN(32, value >> BigInt(32 * w)));
        }
      }
    }
  }
}

/** An x87 control word: any rounding, the three precisions that exist, exceptions mostly masked. */
function randomControl(random: Random, isMasked: boolean): number {
  const masks = isMasked ? 0x3f : random.below(64);
  return 0x40 | masks | (random.pick([0, 2, 3, 3]) << 8) | (random.below(4) << 10);
}

/** An x87 status word: any TOP and condition codes; ES and B as the exceptions demand. */
function randomStatus(random: Random, control: number): number {
  const conditions = random.below(16);
  let status = (random.below(8) << 11) | ((conditions & 7) << 8) | ((conditions & 8) << 11);
  if (random.below(4) === 0) {
    status |= random.below(128);
    // An unmasked one is reported before anything else happens, which few cases should see.
    if (random.below(8) !== 0) status &= ~0x3f | control;
  }
  return (status & ~control & 0x3f) === 0 ? status : status | 0x8080;
}

function randomMxcsr(random: Random): number {
  const masks = random.below(4) === 0 ? random.below(64) : 0x3f;
  const flush = random.pick([0, 0, 0, 0x8000, 0x40, 0x8040]);
  const flags = random.below(2) === 0 ? 0 : random.below(64);
  return flags | (masks << 7) | (random.below(4) << 13) | flush;
}
