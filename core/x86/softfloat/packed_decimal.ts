/**
 * 18-digit packed decimal integers of FBLD and FBSTP.
 *
 *   79   78..72  71..68 ... 3..0
 *   sign unused  d17    ... d0
 *
 * Source: SDM volume 1, "BCD and Packed BCD Integers"; volume 2, FBLD, FBSTP.
 */

import { begin, type FloatEnvironment } from "./environment.ts";
import { extended80, unpack, zeroOf } from "./formats.ts";
import { fromInteger, roundInteger } from "./convert.ts";
import type { Delivered } from "./round_and_pack.ts";

/** What a masked invalid operation stores. */
export const PACKED_DECIMAL_INDEFINITE = 0xffffc000000000000000n;

const DIGITS = 18;
const MOST = 10n ** 18n - 1n;
const SIGN_SHIFT = 79n;

/** FBLD: an 80-bit packed decimal as extended80, always exact; a digit above 9 counts its value. */
export function fromPackedDecimal(env: FloatEnvironment, packed: bigint): Delivered {
  const negative = ((packed >> SIGN_SHIFT) & 1n) === 1n;
  let value = 0n;
  for (let digit = DIGITS - 1; digit >= 0; digit--) {
    value = value * 10n + ((packed >> BigInt(4 * digit)) & 15n);
  }
  if (value !== 0n) return fromInteger(env, extended80, negative ? -value : value);
  begin(env);
  return zeroOf(extended80, negative);
}

/** FBSTP: rounds an extended80 to 18 decimal digits; undefined if an unmasked invalid operation stores nothing. */
export function toPackedDecimal(env: FloatEnvironment, bits: bigint): Delivered {
  begin(env);
  const value = unpack(extended80, bits);
  const integer = roundInteger(env, value, env.rounding, -MOST, MOST);
  if (integer === undefined) return undefined;
  if (integer === "indefinite") return PACKED_DECIMAL_INDEFINITE;
  let rest = integer < 0n ? -integer : integer;
  let packed = value.negative ? 1n << SIGN_SHIFT : 0n;
  for (let digit = 0; digit < DIGITS; digit++) {
    packed |= (rest % 10n) << BigInt(4 * digit);
    rest /= 10n;
  }
  return packed;
}
