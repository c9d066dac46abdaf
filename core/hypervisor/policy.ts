/**
 * Policy: what domains may do to each other besides what the ABI says, as Xen's XSM hooks decide it.
 *
 * A check names who acts on whom and how; the answer no becomes EPERM or `GNTST_permission_denied`.
 */

import type { DomainId } from "../abi/ids.ts";
import type { EventCheck } from "./event_channels/ports.ts";
import type { GrantCheck } from "./grant_tables/ports.ts";

/** A question that a mechanism asks before it joins two domains. */
export type PolicyCheck = EventCheck | GrantCheck;

/** Answers checks. */
export interface Policy {
  allows(check: PolicyCheck): boolean;
}

/** Domain 0 joins with everybody: its back ends would serve nobody otherwise. */
const CONTROL_DOMAIN = 0;

/**
 * Domains with labels, of which some pairs may not be joined; domains without a label may join with
 * all. Throws `RangeError` for a conflict of fewer than two labels.
 */
export class LabelPolicy implements Policy {
  readonly #labels = new Map<DomainId, string>();

  /** `conflicts`: sets of labels that must not meet, as competitors behind a Chinese wall. */
  constructor(private readonly conflicts: readonly (readonly string[])[]) {
    const short = conflicts.find((set) => new Set(set).size < 2);
    if (short) throw new RangeError(`a conflict needs two labels, found ${JSON.stringify(short)}`);
  }

  /** Labels a domain from now on. */
  label(domain: DomainId, label: string): void {
    this.#labels.set(domain, label);
  }

  allows({ by, of }: PolicyCheck): boolean {
    if (by === of || by === CONTROL_DOMAIN || of === CONTROL_DOMAIN) return true;
    const first = this.#labels.get(by);
    const second = this.#labels.get(of);
    if (first === undefined || second === undefined || first === second) return true;
    return !this.conflicts.some((set) => set.includes(first) && set.includes(second));
  }
}
