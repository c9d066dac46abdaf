/**
 * Flag sources that were computed but not yet stored: most are overwritten before anybody reads them, so their
 * expressions are kept and evaluated where they are needed.
 */

import type { FunctionWriter } from "../lib/wasm/writer.ts";
import type { ExpressionWriter } from "../x86/cold/expressions.ts";
import type { Node } from "../x86/ir/ir.ts";
import { offsetOf } from "../x86/state/layout.ts";
import type { GuestLocals } from "./guest_locals.ts";

const SOURCES = new Set(
  (["zeroSource", "signSource", "carrySource"] as const).map((name) => offsetOf(name)),
);

/** Whether the state's field at `offset` is a flag source. */
export function isFlagSource(offset: number): boolean {
  return SOURCES.has(offset);
}

interface Pending {
  readonly values: ExpressionWriter;
  readonly node: Node;
  readonly locals: ReadonlySet<number>;
}

/** The flag sources of the place in the code that is being written. */
export class PendingFlags {
  readonly #pending = new Map<number, Pending>();

  constructor(private readonly code: FunctionWriter, private readonly guest: GuestLocals) {}

  /** The source at `offset` is `node`; its local does not hold it yet. */
  set(offset: number, values: ExpressionWriter, node: Node): void {
    const locals = new Set<number>();
    values.localsIn(node, locals);
    this.#pending.set(offset, { values, node, locals });
  }

  /** Whether `local` is needed to compute a source. */
  needs(local: number): boolean {
    for (const { locals } of this.#pending.values()) if (locals.has(local)) return true;
    return false;
  }

  /** Brings the local of the source at `offset` up to date. */
  settle(offset: number): void {
    const pending = this.#pending.get(offset);
    if (!pending) return;
    this.#evaluate(offset, pending);
    this.#pending.delete(offset);
  }

  settleAll(): void {
    this.evaluateAll();
    this.#pending.clear();
  }

  /** Brings all locals up to date on a way out, while the code that goes on keeps them pending. */
  evaluateAll(): void {
    for (const [offset, pending] of this.#pending) this.#evaluate(offset, pending);
  }

  #evaluate(offset: number, { values, node }: Pending): void {
    values.push(node);
    this.code.set(this.guest.at(offset).local);
  }
}
