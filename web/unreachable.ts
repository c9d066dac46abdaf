/** The end of an exhaustive switch. */

/** Fails to compile where a case was forgotten; throws if one comes from outside all the same. */
export function unreachable(value: never): never {
  throw new TypeError(`not a known case: ${JSON.stringify(value)}`);
}
