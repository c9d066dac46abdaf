/**
 * The test runner's entry for host-free folders, where the global `Deno` is a type error on purpose.
 *
 * Only `*_test.ts` files import this module.
 */

interface TestHost {
  readonly Deno: { test(name: string, body: () => void | Promise<void>): void };
}

/** Registers a test; `name` is a claim, for example "UART raises THRE when ETBEI is set". */
export function test(name: string, body: () => void | Promise<void>): void {
  (globalThis as unknown as TestHost).Deno.test(name, body);
}
