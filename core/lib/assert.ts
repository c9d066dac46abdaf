/** Assertions for our own bugs. What a guest or a caller does wrong is never reported this way. */

/** The error of a broken invariant of this program; its message carries the state that broke it. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/**
 * Throws {@link InvariantError} with `message` unless `condition` holds. The message is made in any case: where that is felt,
 * throw {@link InvariantError} under an `if`.
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Marks the default of an exhaustive `switch`; throws when a value slips through at run time. */
export function unreachable(value: never, what: string): never {
  throw new InvariantError(`unexpected ${what}: ${String(value)}`);
}
