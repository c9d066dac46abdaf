/**
 * SPECweb99's files and how often each is asked for.
 *
 * Figures: SOSP 2003, section 4 (data set); Ruan and Pai, USENIX 2006; userver's generator `genspec99sesslogs` (numbers only).
 */

import type { Random } from "../../../../core/lib/random.ts";

/** Files of a class in a directory, and classes. */
export const FILES_PER_CLASS = 9;
export const CLASSES = 4;
/** How many of 100 requests go to each class: up to 1, 10, 100 and 1000 KB. */
export const CLASS_WEIGHTS = [35, 50, 14, 1] as const;
/** How many of 1000 requests within a class go to each of its nine files. */
export const FILE_WEIGHTS = [39, 59, 88, 177, 353, 118, 71, 50, 44] as const;

/** A file of the data set. */
export interface SpecFile {
  /** 0 to 3. */
  readonly fileClass: number;
  readonly directory: number;
  /** 1 to 9. */
  readonly file: number;
}

/** Bytes of a file: k x 102.4 x 10^class, cut to a whole number. */
export function sizeOf({ fileClass, file }: Pick<SpecFile, "fileClass" | "file">): number {
  return Math.trunc(file * 1024 * 10 ** fileClass / 10);
}

/** Bytes of all files of a directory. */
export const DIRECTORY_BYTES = directoryBytes();

/** Directories of the data set for a load of so many connections: 25 and two thirds of them (rounded up). */
export function directoriesFor(connections: number): number {
  return Math.ceil(25 + 0.66 * connections);
}

/** Draws files: directories by Zipf's law, classes and files by their weights. */
export class FileChooser {
  readonly #classes = cumulative(CLASS_WEIGHTS);
  readonly #files = cumulative(FILE_WEIGHTS);
  /** The same by how many bytes are asked for: a file's size is its number times what its class has. */
  readonly #classesByBytes = cumulative(CLASS_WEIGHTS.map((weight, index) => weight * 10 ** index));
  readonly #filesByBytes = cumulative(FILE_WEIGHTS.map((weight, index) => weight * (index + 1)));
  readonly #directories: readonly number[];

  constructor(directories: number) {
    this.#directories = cumulative(
      Array.from({ length: directories }, (_, rank) => 1 / (rank + 1)),
    );
  }

  choose(random: Random): SpecFile {
    return {
      fileClass: random.pick(this.#classes),
      directory: random.pick(this.#directories),
      file: random.pick(this.#files) + 1,
    };
  }

  /** The file that is on its way at a random instant: a long one is for longer. */
  chooseOnItsWay(random: Random): SpecFile {
    return {
      fileClass: random.pick(this.#classesByBytes),
      directory: random.pick(this.#directories),
      file: random.pick(this.#filesByBytes) + 1,
    };
  }
}

/** The sums of `weights` up to and with each. */
export function cumulative(weights: readonly number[]): number[] {
  let sum = 0;
  return weights.map((weight) => sum += weight);
}

function directoryBytes(): number {
  let sum = 0;
  for (let fileClass = 0; fileClass < CLASSES; fileClass++) {
    for (let file = 1; file <= FILES_PER_CLASS; file++) sum += sizeOf({ fileClass, file });
  }
  return sum;
}
