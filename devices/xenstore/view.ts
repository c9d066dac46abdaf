/**
 * A tree as one reader and writer sees it: the live one, or a transaction's own.
 *
 * A transaction's view remembers what it looked at and what it changed, so that it can be told at its end
 * whether the live tree still is what it saw, and its changes can be made there.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import type { StorePath } from "./paths.ts";
import { type Account, applyChange, type Change, findNode, type StoreNode } from "./tree.ts";

/** What a transaction may look at and change at most (C xenstored's `trans-nodes`). */
export const TRANSACTION_NODE_LIMIT = 1024;

/** A tree, and how many nodes each domain owns in it. */
export class TreeView {
  /** Transactions only: generations of the nodes that were looked at (`null`: there was none). */
  readonly seen = new Map<StorePath, number | null>();
  /** Transactions only: the changes in order. */
  readonly changes: Change[] = [];
  readonly #owned: Map<DomainId, number>;

  constructor(
    public root: StoreNode,
    owned: ReadonlyMap<DomainId, number>,
    /** Null for the live tree. */
    readonly id: number | null,
    private readonly nextGeneration: () => number,
    /** The live tree when the transaction began. */
    readonly base: StoreNode = root,
  ) {
    this.#owned = new Map(owned);
  }

  /** The node at `path`, or `null`. */
  find(path: StorePath): StoreNode | null {
    this.look(path);
    return findNode(this.root, path);
  }

  /** Remembers that the transaction depends on what was at `path` when it began. */
  look(path: StorePath): void {
    if (this.id === null || this.seen.has(path)) return;
    this.seen.set(path, findNode(this.base, path)?.generation ?? null);
  }

  change(change: Change): void {
    this.root = applyChange(this.root, change, this.nextGeneration(), this.#account);
    if (this.id !== null) this.changes.push(change);
  }

  /** Nodes that the domain owns. */
  nodesOwnedBy(domain: DomainId): number {
    return this.#owned.get(domain) ?? 0;
  }

  get owned(): ReadonlyMap<DomainId, number> {
    return this.#owned;
  }

  /** Whether a transaction has seen and done as much as it may. */
  get isFull(): boolean {
    return this.seen.size + this.changes.length >= TRANSACTION_NODE_LIMIT;
  }

  /** Whether everything that this transaction saw is as it was in `live`. */
  agreesWith(live: TreeView): boolean {
    for (const [path, generation] of this.seen) {
      if ((findNode(live.root, path)?.generation ?? null) !== generation) return false;
    }
    return true;
  }

  /** Replaces the tree; a snapshot is restored. */
  reset(root: StoreNode, owned: ReadonlyMap<DomainId, number>): void {
    this.root = root;
    this.#owned.clear();
    for (const [domain, count] of owned) this.#owned.set(domain, count);
  }

  readonly #account: Account = (owner, count) => {
    this.#owned.set(owner, (this.#owned.get(owner) ?? 0) + count);
  };
}
