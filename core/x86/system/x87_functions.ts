/** The system functions of x87 instructions, as rows of the table of system functions. */

import type { SystemFunction } from "./functions.ts";
import {
  x87Add,
  x87Compare,
  x87Divide,
  x87DivideReversed,
  x87Multiply,
  x87Subtract,
  x87SubtractReversed,
} from "./x87_arithmetic.ts";
import {
  x87Arctangent,
  x87Cosine,
  x87Extract,
  x87Logarithm,
  x87LogarithmPlusOne,
  x87PowerOfTwo,
  x87Remainder,
  x87RemainderNearest,
  x87RoundToInteger,
  x87Scale,
  x87Sine,
  x87SineCosine,
  x87SquareRoot,
  x87Tangent,
} from "./x87_register_operations.ts";
import {
  x87Load,
  x87LoadDecimal,
  x87MemoryStackFault,
  x87StackFault,
  x87Store,
  x87StoreDecimal,
  x87StoreInteger,
} from "./x87_transfers.ts";

const RUN = {
  x87StackFault,
  x87MemoryStackFault,
  x87Load,
  x87LoadDecimal,
  x87Store,
  x87StoreInteger,
  x87StoreDecimal,
  x87Add,
  x87Subtract,
  x87SubtractReversed,
  x87Multiply,
  x87Divide,
  x87DivideReversed,
  x87Compare,
  x87SquareRoot,
  x87RoundToInteger,
  x87Scale,
  x87Extract,
  x87Remainder,
  x87RemainderNearest,
  x87PowerOfTwo,
  x87Logarithm,
  x87LogarithmPlusOne,
  x87Sine,
  x87Cosine,
  x87SineCosine,
  x87Tangent,
  x87Arctangent,
};

type X87Function = keyof typeof RUN;

/** Arithmetic, comparison and conversion; environment and state images are in floating_state.ts. */
export const X87_FUNCTIONS = Object.fromEntries(
  Object.entries(RUN).map(([name, run]) => [name, { run, endsBlock: false, sensitive: false }]),
) as { readonly [Name in X87Function]: Omit<SystemFunction, "name"> };
