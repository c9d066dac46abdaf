/** Values of options as people type them; a bad one is refused with what would be right. */

import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { Nanoseconds } from "../../core/clock/clock.ts";
import type { EngineName } from "../machine_api.ts";
import { type Bytes, parseDuration, parseSize } from "../units.ts";

/** The engines, the default first. */
export const ENGINES = ["hot", "cold", "reference"] as const satisfies readonly EngineName[];

/** A size such as `128MiB`. */
export function sizeValue(text: string): Bytes {
  return explained(() => parseSize(text));
}

/** A duration such as `60s`. */
export function durationValue(text: string): Nanoseconds {
  return explained(() => parseDuration(text));
}

/** A whole number in a range, both ends included. */
export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(
      `expected a whole number from ${from} to ${to}, found ${JSON.stringify(text)}`,
    );
  };
}

/** Two different engines, such as `cold,hot`. */
export function enginePair(text: string): readonly [EngineName, EngineName] {
  const [a, b, ...more] = text.split(",").map((name) => ENGINES.find((engine) => engine === name));
  if (a && b && a !== b && more.length === 0) return [a, b];
  throw new InvalidArgumentError(
    `expected two different ones of ${ENGINES.join(", ")}, such as cold,hot, found ${
      JSON.stringify(text)
    }`,
  );
}

/** Collects an option that may be given several times. */
export function repeated(text: string, previous: string[] = []): string[] {
  return [...previous, text];
}

function explained<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
