/**
 * One SSE instruction on several elements, whose exceptions are found in two rounds over all of them.
 *
 * Source: SDM volume 1, "SIMD Floating-Point Exception Conditions": an unmasked pre-computation exception of any
 * element keeps the post-computation exceptions of all elements from being detected.
 */

import { type FloatEnvironment, PRE_COMPUTATION, unmasked } from "./environment.ts";

/**
 * Runs an operation on every element and merges its exceptions.
 *
 * @param elements how many elements; `operate` is called with 0 to `elements - 1`
 * @returns all results, or undefined if an unmasked exception leaves the destination unchanged
 */
export function packedOperation<Result>(
  env: FloatEnvironment,
  elements: number,
  operate: (element: number) => Result | undefined,
): readonly Result[] | undefined {
  const before = env.flags;
  const results: Result[] = [];
  let raised = 0;
  for (let element = 0; element < elements; element++) {
    const result = operate(element);
    raised |= env.raised;
    if (result !== undefined) results.push(result);
  }
  const stops = (raised & ~env.masks & PRE_COMPUTATION) !== 0;
  env.raised = stops ? raised & PRE_COMPUTATION : raised;
  env.flags = before | env.raised;
  return unmasked(env) === 0 ? results : undefined;
}
