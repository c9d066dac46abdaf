/**
 * The ledger: who was billed for which operations of the hypervisor, how often, and how many cycles that was.
 *
 * The price list is the machine's cost table; whoever does the work adds the returned cycles to the time of the virtual
 * CPU that pays.
 */

import type { Cycles } from "../../clock/clock.ts";
import { type CostName, COSTS, type CostTable } from "../../clock/profiles/cost_profile.ts";
import type { DomainId } from "../../lib/brand.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../lib/snapshot.ts";

/** What one operation came to, for one domain. */
export interface LedgerEntry {
  readonly cost: CostName;
  /** Units. */
  readonly count: number;
  readonly cycles: Cycles;
}

/** See the module comment. */
export class Ledger implements Snapshot {
  readonly #accounts = new Map<DomainId, Map<CostName, { count: number; cycles: number }>>();

  constructor(private readonly table: CostTable) {}

  /** Bills `domain` for `count` units of `cost`; returns how long they take. */
  charge(domain: DomainId, cost: CostName, count = 1): Cycles {
    const cycles = this.table.cost(cost, count);
    let account = this.#accounts.get(domain);
    if (!account) this.#accounts.set(domain, account = new Map());
    const entry = account.get(cost);
    if (!entry) account.set(cost, { count, cycles });
    else {
      entry.count += count;
      entry.cycles += cycles;
    }
    return cycles;
  }

  /** Bills `domain` for several kinds of work at once; returns how long they take. */
  chargeAll(domain: DomainId, work: Readonly<Partial<Record<CostName, number>>>): Cycles {
    let sum = 0;
    for (const [cost, count] of Object.entries(work)) {
      if (count > 0) sum += this.charge(domain, cost as CostName, count);
    }
    return sum as Cycles;
  }

  /** What `domain` has been billed for, in the order of the cost list. */
  entries(domain: DomainId): LedgerEntry[] {
    const account = this.#accounts.get(domain);
    return (Object.keys(COSTS) as CostName[]).flatMap((cost) => {
      const entry = account?.get(cost);
      return entry ? [{ cost, count: entry.count, cycles: entry.cycles as Cycles }] : [];
    });
  }

  /** All cycles that `domain` has been billed for. */
  total(domain: DomainId): Cycles {
    return this.entries(domain).reduce((sum, { cycles }) => sum + cycles, 0) as Cycles;
  }

  /** `domain` is gone. */
  forget(domain: DomainId): void {
    this.#accounts.delete(domain);
  }

  save(): SnapshotRecord {
    const accounts = [...this.#accounts.keys()].map((domain) => ({
      domain,
      entries: this.entries(domain) as unknown as SnapshotValue,
    }));
    return { kind: "ledger", version: 1, state: { accounts } };
  }

  restore(record: SnapshotRecord): void {
    const { accounts } = expectRecord(record, "ledger", 1);
    this.#accounts.clear();
    for (const { domain, entries } of accounts as unknown as readonly SavedAccount[]) {
      const account = entries.map(({ cost, count, cycles }) => [cost, { count, cycles }] as const);
      this.#accounts.set(domain, new Map(account));
    }
  }
}

interface SavedAccount {
  readonly domain: DomainId;
  readonly entries: readonly LedgerEntry[];
}
