/**
 * Types of the parts of the standard library that are used; its npm edition has none.
 *
 * Listed in `compilerOptions.types` of deno.json. With the library's JSR edition this file goes away.
 */

declare module "@std/assert" {
  /** What a failed assertion throws. */
  export class AssertionError extends Error {}
  type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertFalse(condition: unknown, message?: string): asserts condition is false;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    message?: string,
  ): asserts actual is T;
  export function assertNotStrictEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    message?: string,
  ): void;
  export function assertExists<T>(
    actual: T,
    message?: string,
  ): asserts actual is NonNullable<T>;
  export function assertInstanceOf<T>(
    actual: unknown,
    expected: abstract new (...args: never[]) => T,
    message?: string,
  ): asserts actual is T;
  export function assertGreater<T>(actual: T, expected: T, message?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertArrayIncludes<T>(
    actual: ArrayLike<T>,
    expected: ArrayLike<T>,
    message?: string,
  ): void;
  export function assertObjectMatch(actual: object, expected: object, message?: string): void;
  export function assertIsError<E extends Error = Error>(
    error: unknown,
    errorClass?: ErrorClass<E>,
    messageIncludes?: string | RegExp,
    message?: string,
  ): asserts error is E;
  export function assertThrows(body: () => unknown, message?: string): unknown;
  export function assertThrows<E extends Error>(
    body: () => unknown,
    errorClass: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): E;
  export function assertRejects(
    body: () => PromiseLike<unknown>,
    message?: string,
  ): Promise<unknown>;
  export function assertRejects<E extends Error>(
    body: () => PromiseLike<unknown>,
    errorClass: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): Promise<E>;
  export function equal(a: unknown, b: unknown): boolean;
  export function fail(message?: string): never;
  export function unreachable(reason?: string): never;
}
