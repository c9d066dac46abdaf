/**
 * A client's breakpoints and watchpoints (`Z0` to `Z4`) as stops of the machine's debugger.
 *
 * GDB takes all of them out at each stop and puts them in again before it goes on: what is set is brought up to date only
 * when the machine is about to run, so that its translated code survives.
 */

import type { StopCondition, StopHit } from "../debugger/stop_conditions.ts";
import type { StopList } from "../debugger/stop_list.ts";

/** Kinds of the `Z` packet. */
const SOFTWARE = "0";
const HARDWARE = "1";
const WATCHES: Readonly<Record<string, "write" | "read" | "access">> = {
  "2": "write",
  "3": "read",
  "4": "access",
};
/** What a stop reply calls a watchpoint. */
const REPLY_NAMES = { write: "watch", read: "rwatch", access: "awatch" } as const;

/** The stops of one client. */
export class ClientStops {
  readonly #wanted = new Map<string, StopCondition>();
  readonly #set = new Map<string, number>();

  constructor(private readonly list: StopList) {}

  /** Wants or no longer wants a stop; null if there is no such kind. Throws what the debugger throws. */
  change(insert: boolean, kind: string, address: bigint, length: number): true | null {
    const condition = conditionOf(kind, address, length);
    if (condition === null) return null;
    const key = `${kind},${address},${length}`;
    if (insert) this.#wanted.set(key, condition);
    else this.#wanted.delete(key);
    return true;
  }

  get any(): boolean {
    return this.#wanted.size > 0;
  }

  /** Sets what is wanted. For a step, what is no longer wanted may stay: {@link isWanted} tells. */
  apply(isStep: boolean): void {
    const gone = isStep ? [] : [...this.#set].filter(([key]) => !this.#wanted.has(key));
    const added = [...this.#wanted].filter(([key]) => !this.#set.has(key));
    if (gone.length === 0 && added.length === 0) return;
    const ids = this.list.exchange(gone.map(([, id]) => id), added.map(([, each]) => each));
    for (const [key] of gone) this.#set.delete(key);
    added.forEach(([key], i) => this.#set.set(key, ids[i]));
  }

  /** Takes all out. */
  clear(): void {
    this.#wanted.clear();
    this.apply(false);
  }

  /** Whether a hit is of another owner's stop, or of one that the client wants at present. */
  isWanted({ id }: StopHit): boolean {
    const mine = [...this.#set].find(([, each]) => each === id);
    return mine === undefined || this.#wanted.has(mine[0]);
  }

  /** What a stop reply says of a hit, with its semicolon; empty if it is none of the client's kinds. */
  reason({ id, condition }: StopHit): string {
    const key = [...this.#set].find(([, each]) => each === id)?.[0];
    if (condition.kind === "watch") {
      return `${REPLY_NAMES[condition.on]}:${condition.address.toString(16)};`;
    }
    if (condition.kind !== "code") return "";
    return key?.startsWith(HARDWARE) ? "hwbreak:;" : "swbreak:;";
  }
}

function conditionOf(kind: string, address: bigint, bytes: number): StopCondition | null {
  if (kind === SOFTWARE || kind === HARDWARE) return { kind: "code", address };
  const on = WATCHES[kind];
  return on === undefined ? null : { kind: "watch", address, bytes, on, space: "linear" };
}
