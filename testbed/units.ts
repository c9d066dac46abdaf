/**
 * Sizes and times as people write them: `128MiB`, `60s`.
 *
 * A number without its unit is refused where it could be misread, and every error names what is
 * accepted.
 */

import type { Brand } from "../core/lib/brand.ts";
import { type Nanoseconds, nanoseconds } from "../core/clock/clock.ts";

/** A size in bytes. */
export type Bytes = Brand<number, "Bytes">;

interface Unit {
  readonly name: string;
  readonly factor: number;
}

/** Units of size; the binary ones are exact powers of 1024, `K`, `M` and `G` are short for them. */
const SIZE_UNITS: readonly Unit[] = [
  { name: "B", factor: 1 },
  { name: "KiB", factor: 2 ** 10 },
  { name: "MiB", factor: 2 ** 20 },
  { name: "GiB", factor: 2 ** 30 },
  { name: "TiB", factor: 2 ** 40 },
  { name: "K", factor: 2 ** 10 },
  { name: "M", factor: 2 ** 20 },
  { name: "G", factor: 2 ** 30 },
  { name: "kB", factor: 1e3 },
  { name: "MB", factor: 1e6 },
  { name: "GB", factor: 1e9 },
];

const TIME_UNITS: readonly Unit[] = [
  { name: "ns", factor: 1 },
  { name: "us", factor: 1e3 },
  { name: "ms", factor: 1e6 },
  { name: "s", factor: 1e9 },
  { name: "min", factor: 60e9 },
  { name: "h", factor: 3600e9 },
];

/**
 * Reads a size such as `128MiB`, `1.5GiB` or `4096B`; a number that is branded already passes through.
 * Throws `SyntaxError` for what is no size, `RangeError` for one that is not a whole number of bytes.
 */
export function parseSize(text: string | Bytes): Bytes {
  if (typeof text === "number") return wholeAndPositive(text, String(text), "bytes") as Bytes;
  const value = parseQuantity(text, SIZE_UNITS, "a size such as 128MiB");
  return wholeAndPositive(value, text, "bytes") as Bytes;
}

/**
 * Reads a duration of simulated time such as `60s` or `250ms`; branded nanoseconds pass through.
 * Throws `SyntaxError` for what is no duration, `RangeError` for a fraction of a nanosecond.
 */
export function parseDuration(text: string | Nanoseconds): Nanoseconds {
  if (typeof text === "number") {
    return nanoseconds(wholeAndPositive(text, String(text), "nanoseconds"));
  }
  const value = parseQuantity(text, TIME_UNITS, "a time such as 60s");
  return nanoseconds(wholeAndPositive(value, text, "nanoseconds"));
}

/** Writes a size in the largest binary unit that leaves a short number. */
export function formatSize(sizeBytes: number): string {
  return format(sizeBytes, SIZE_UNITS.slice(0, 5));
}

/** Writes a duration in the largest unit that leaves a short number. */
export function formatDuration(durationNs: number): string {
  return format(durationNs, TIME_UNITS.slice(0, 4));
}

function format(value: number, units: readonly Unit[]): string {
  const { name, factor } = units.findLast(({ factor }) => value >= factor) ?? units[0];
  return `${Math.round((value / factor) * 100) / 100}${name}`;
}

function parseQuantity(text: string, units: readonly Unit[], wanted: string): number {
  const names = units.map(({ name }) => name).join(", ");
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  if (!match) throw new SyntaxError(`expected ${wanted}, found ${JSON.stringify(text)}`);
  const [, digits, unitName] = match;
  if (unitName === "") {
    throw new SyntaxError(`expected ${wanted}, found ${text} without a unit (units: ${names})`);
  }
  const unit = units.find(({ name }) => name === unitName) ??
    units.find(({ name }) => name.toLowerCase() === unitName.toLowerCase());
  if (!unit) {
    throw new SyntaxError(
      `expected ${wanted}, found the unit ${unitName} in ${text} (units: ${names})`,
    );
  }
  return Number(digits) * unit.factor;
}

function wholeAndPositive(value: number, text: string, unit: string): number {
  // A decimal fraction such as 1.1s may be off by the last bit of its binary form.
  const whole = Math.round(value);
  if (!Number.isSafeInteger(whole) || Math.abs(value - whole) > 1e-6 * Math.max(1, value) * 1e-6) {
    throw new RangeError(`expected a whole number of ${unit} below 2^53, found ${text}`);
  }
  if (whole <= 0) throw new RangeError(`expected more than zero ${unit}, found ${text}`);
  return whole;
}
