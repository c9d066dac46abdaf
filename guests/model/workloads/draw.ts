/** Random draws of modelled programs: their state is one number among a process's locals, so that a copy draws on. */

import type { Locals } from "../kernel/action.ts";

/** The next draw of `locals.random`: at least 0, below 1 (a multiplicative generator modulo 2^31 - 1, Park and Miller). */
export function draw(locals: Locals): number {
  const next = ((locals.random as number) * 48_271) % 2_147_483_647;
  locals.random = next;
  return (next - 1) / 2_147_483_646;
}

/** A whole number from 0 to `count` - 1. */
export function drawBelow(locals: Locals, count: number): number {
  return Math.floor(draw(locals) * count);
}

/** A first state for {@link draw}, from a seed and who draws. */
export function drawState(seed: number, who: number): number {
  return 1 + ((seed * 7919 + who * 104_729 + 12_345) % 2_147_483_645);
}
