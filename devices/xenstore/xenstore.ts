/**
 * XenStore: the tree of names by which domains and tools find each other, with watches and transactions.
 *
 * The live tree and who is to be told of its changes are here; what one connection may do with it is a
 * {@link StoreSession}. Source: `docs/misc/xenstore.txt` and `docs/misc/xenstore-ring.txt` of Xen.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import { invariant } from "../../core/lib/assert.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import { isWithin, type StorePath } from "./paths.ts";
import type { Permissions } from "./permissions.ts";
import { loadTree, saveTree } from "./saved_tree.ts";
import { type SessionHost, type SessionOptions, StoreSession } from "./session.ts";
import { type StoreError, storeError } from "./store_error.ts";
import { type Change, emptyRoot, findNode, nodesBelow, type StoreNode } from "./tree.ts";
import { TreeView } from "./view.ts";

/** What an unprivileged domain may use at most; the defaults are C xenstored's. */
export interface StoreQuotas {
  /** Nodes that it owns. */
  readonly nodes: number;
  /** Bytes of a value. */
  readonly valueBytes: number;
  readonly watches: number;
  readonly transactions: number;
  /** Entries in the permissions of a node. */
  readonly permissions: number;
}

/** Quotas unless others are chosen. */
export const DEFAULT_QUOTAS: StoreQuotas = {
  nodes: 1000,
  valueBytes: 2048,
  watches: 128,
  transactions: 10,
  permissions: 5,
};

/** The store; see the module comment. */
export class XenStore implements Snapshot {
  readonly #sessions = new Set<StoreSession>();
  /** Domains that tools have introduced, and still are. */
  readonly #introduced = new Set<DomainId>();
  #generation = 0;
  #nextTransaction = 1;
  #nameless = 0;
  readonly #live = new TreeView(emptyRoot(), new Map(), null, () => ++this.#generation);
  readonly #host: SessionHost;

  constructor(readonly quotas: StoreQuotas = DEFAULT_QUOTAS) {
    this.#host = {
      quotas,
      live: this.#live,
      beginTransaction: (id, base) => this.#begin(id, base),
      commit: (view) => this.#commit(view),
      changed: (change, before) => this.#tell(change, before),
      introduce: (domain) => this.#setIntroduced(domain, true),
      release: (domain) => this.#setIntroduced(domain, false),
      isIntroduced: (domain) => this.#introduced.has(domain),
    };
  }

  /** Opens a connection for a domain; the caller reads its events and closes it. */
  open(domain: DomainId, options: SessionOptions = {}): StoreSession {
    const name = options.name ?? `connection ${this.#nameless++}`;
    const taken = [...this.#sessions].some((each) => each.name === name);
    invariant(!taken, `two connections to XenStore named ${name}`);
    const session = new StoreSession(name, domain, this.#host, options);
    this.#sessions.add(session);
    return session;
  }

  /** Ends a connection: its watches and transactions are gone. */
  close(session: StoreSession): void {
    this.#sessions.delete(session);
  }

  /** A domain died: its connections close, and whoever watches `@releaseDomain` is told. */
  domainDied(domain: DomainId): void {
    for (const session of this.#sessions) if (session.domain === domain) this.close(session);
    this.#setIntroduced(domain, false);
  }

  /** Nodes that a domain owns, for tools. */
  nodesOwnedBy(domain: DomainId): number {
    return this.#live.nodesOwnedBy(domain);
  }

  /** Every path and value below `path`, in order, as `xenstore-ls -f` shows them. */
  *list(path: StorePath = "/"): IterableIterator<{ path: StorePath; value: Uint8Array }> {
    const node = findNode(this.#live.root, path);
    if (!node) return;
    for (const each of nodesBelow(node, path)) yield { path: each.path, value: each.node.value };
  }

  save(): SnapshotRecord {
    return {
      kind: "xenstore",
      version: 1,
      state: {
        generation: this.#generation,
        nextTransaction: this.#nextTransaction,
        introduced: [...this.#introduced],
        tree: saveTree(this.#live.root),
        sessions: [...this.#sessions].map((session) => ({ ...session.save() })),
      },
    };
  }

  /**
   * Restores the tree, and those connections that are here too, by their names. One that only the record knows is nobody's
   * any more; one that only this store knows stays as it is, behind the others.
   */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "xenstore", 1);
    this.#generation = state.generation as number;
    this.#nextTransaction = state.nextTransaction as number;
    this.#introduced.clear();
    for (const domain of state.introduced as DomainId[]) this.#introduced.add(domain);
    const { root, owned } = loadTree(state.tree as readonly SnapshotValue[]);
    this.#live.reset(root, owned);
    const saved = state.sessions as unknown as readonly SnapshotRecord[];
    const here = new Map([...this.#sessions].map((session) => [session.name, session]));
    // Who is told first is decided by their order.
    this.#sessions.clear();
    for (const each of saved) {
      const session = here.get(each.state.name as string);
      session?.restore(each);
      if (session) this.#sessions.add(session);
    }
    for (const session of here.values()) this.#sessions.add(session);
  }

  #begin(id = this.#nextTransaction++, base = this.#live.root): TreeView {
    return new TreeView(base, this.#live.owned, id, () => ++this.#generation);
  }

  /** Makes a transaction's changes in the live tree; EAGAIN if the tree is not what it saw. */
  #commit(view: TreeView): StoreError | null {
    if (!view.agreesWith(this.#live)) return storeError("EAGAIN");
    const tellings = view.changes.map((change) => {
      const before = this.#live.root;
      this.#live.change(change);
      return { change, before };
    });
    const told = new Set<string>();
    for (const { change, before } of tellings) {
      // One event for each node, however often the transaction changed it.
      if (change.what !== "remove" && told.has(change.path)) continue;
      told.add(change.path);
      this.#tell(change, before);
    }
    return null;
  }

  /** Tells watchers of a change, given the tree before it. */
  #tell({ what, path }: Change, before: StoreNode): void {
    const gone = what === "remove" ? findNode(before, path) : null;
    const node = gone ?? findNode(this.#live.root, path);
    if (!node) return;
    const { permissions } = node;
    for (const session of this.#sessions) session.hear(path, permissions);
    if (gone) this.#tellBelow(path, [...nodesBelow(gone, path)].slice(1));
  }

  /** Watchers of exactly one of the nodes that went with their parent are told too. */
  #tellBelow(
    parent: StorePath,
    nodes: readonly { readonly path: StorePath; readonly node: { permissions: Permissions } }[],
  ): void {
    for (const session of this.#sessions) {
      if (!session.watches.some(({ path }) => path !== parent && isWithin(path, parent))) continue;
      for (const { path, node } of nodes) session.hear(path, node.permissions, "exactly");
    }
  }

  #setIntroduced(domain: DomainId, present: boolean): void {
    if (this.#introduced.has(domain) === present) return;
    if (present) this.#introduced.add(domain);
    else this.#introduced.delete(domain);
    const name = present ? "@introduceDomain" : "@releaseDomain";
    for (const session of this.#sessions) session.hearSpecial(name);
  }
}
