/**
 * One connection to XenStore: what its domain may read and change, its watches, and its transactions.
 *
 * Operations return their value or a {@link StoreError}. Paths may be relative to the domain's home. A
 * transaction is named by its id; 0 is none.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import {
  canonicalPath,
  domainPath,
  isWithin,
  parentOf,
  partsOf,
  SPECIAL_WATCHES,
  type StorePath,
} from "./paths.ts";
import { type Permissions, permits } from "./permissions.ts";
import { loadView, saveView } from "./saved_tree.ts";
import { StoreError, storeError } from "./store_error.ts";
import { bytesOf, textOf } from "./text.ts";
import { type Change, nearestNode, type StoreNode } from "./tree.ts";
import type { TreeView } from "./view.ts";
import type { StoreQuotas } from "./xenstore.ts";

/** What a session needs of the store. */
export interface SessionHost {
  readonly quotas: StoreQuotas;
  readonly live: TreeView;
  /** A new transaction over the live tree, or one of a snapshot over its own. */
  beginTransaction(id?: number, base?: StoreNode): TreeView;
  commit(view: TreeView): StoreError | null;
  /** A change was made in the live tree, whose root was `before`. */
  changed(change: Change, before: StoreNode): void;
  introduce(domain: DomainId): void;
  release(domain: DomainId): void;
  isIntroduced(domain: DomainId): boolean;
}

/** How a session is made. */
export interface SessionOptions {
  /** What a snapshot knows it by; unique. Default: its number among those that were given no name. */
  readonly name?: string;
  /** No quotas, every node, and the operations of tools; default: domain 0 only. */
  readonly privileged?: boolean;
  /** Called when an event waits to be taken. */
  readonly onEvent?: () => void;
}

/** A watch: whoever registered it hears of changes at and below a path. */
export interface Watch {
  /** Absolute, or one of the special names. */
  readonly path: StorePath;
  readonly token: string;
  /** The path was given relative to the domain's home, and events say it so. */
  readonly relative: boolean;
}

/** A watch fired. */
export interface WatchEvent {
  readonly path: string;
  readonly token: string;
}

/** Events that wait for one connection at most; a further one is dropped. */
export const EVENT_LIMIT = 1024;

/** One connection; see the module comment. */
export class StoreSession implements Snapshot {
  readonly watches: Watch[] = [];
  readonly #transactions = new Map<number, TreeView>();
  readonly #events: WatchEvent[] = [];
  readonly #privileged: boolean;
  readonly #onEvent: () => void;

  constructor(
    readonly name: string,
    readonly domain: DomainId,
    private readonly host: SessionHost,
    { privileged = domain === 0, onEvent = () => {} }: SessionOptions,
  ) {
    this.#privileged = privileged;
    this.#onEvent = onEvent;
  }

  /** The value of a node. */
  read(path: string, transaction = 0): Uint8Array | StoreError {
    const found = this.#readable(path, transaction);
    return found instanceof StoreError ? found : found.node.value.slice();
  }

  /** The value of a node as text, or `null` if it cannot be read. */
  readText(path: string, transaction = 0): string | null {
    const value = this.read(path, transaction);
    return value instanceof StoreError ? null : textOf(value);
  }

  /** The names of a node's children, in order of creation, and the node's generation. */
  directory(
    path: string,
    transaction = 0,
  ): { readonly names: string[]; readonly generation: number } | StoreError {
    const found = this.#readable(path, transaction);
    if (found instanceof StoreError) return found;
    return { names: [...found.node.children.keys()], generation: found.node.generation };
  }

  /** Sets a value; nodes that are missing on the way appear with empty values. */
  write(path: string, value: Uint8Array | string, transaction = 0): StoreError | null {
    const bytes = typeof value === "string" ? bytesOf(value) : value.slice();
    if (!this.#privileged && bytes.length > this.host.quotas.valueBytes) {
      return storeError("ENOSPC");
    }
    return this.#put(path, bytes, transaction);
  }

  /** Makes a node if there is none. */
  mkdir(path: string, transaction = 0): StoreError | null {
    return this.#put(path, null, transaction);
  }

  /** Removes a node and all below it; fine if there is none, as long as its parent exists. */
  remove(path: string, transaction = 0): StoreError | null {
    const place = this.#place(path, transaction);
    if (place instanceof StoreError) return place;
    if (place.path === "/") return storeError("EINVAL");
    const node = place.view.find(place.path);
    if (!node) return this.#missing(place) ?? this.#missingParent(place);
    if (!this.#may(node, "write")) return storeError("EACCES");
    place.view.look(parentOf(place.path));
    return this.#change(place.view, { what: "remove", path: place.path });
  }

  /** Who may do what with a node. */
  getPermissions(path: string, transaction = 0): Permissions | StoreError {
    const found = this.#readable(path, transaction);
    return found instanceof StoreError ? found : found.node.permissions;
  }

  /** Changes who may do what; for the owner, who cannot give the node away, and the privileged. */
  setPermissions(path: string, permissions: Permissions, transaction = 0): StoreError | null {
    const place = this.#place(path, transaction);
    if (place instanceof StoreError) return place;
    if (permissions.length > this.host.quotas.permissions && !this.#privileged) {
      return storeError("ENOSPC");
    }
    const node = place.view.find(place.path);
    if (!node) return this.#missing(place) ?? storeError("ENOENT");
    const owner = node.permissions[0].domain;
    if (!this.#privileged && owner !== this.domain) return storeError("EACCES");
    if (!this.#privileged && permissions[0].domain !== owner) return storeError("EPERM");
    return this.#change(place.view, { what: "setPermissions", path: place.path, permissions });
  }

  /** Asks for events at and below `path`, which need not exist; one comes at once. */
  watch(path: string, token: string): StoreError | null {
    const special = SPECIAL_WATCHES.includes(path);
    const place = special ? path : canonicalPath(path, this.domain);
    if (place instanceof StoreError) return place;
    const relative = !special && !path.startsWith("/");
    if (this.#watchIndex(place, token) >= 0) return storeError("EEXIST");
    if (!this.#privileged && this.watches.length >= this.host.quotas.watches) {
      return storeError("E2BIG");
    }
    const watch = { path: place, token, relative };
    this.watches.push(watch);
    this.#fire(watch, place);
    return null;
  }

  /** Ends a watch; events that wait still come. */
  unwatch(path: string, token: string): StoreError | null {
    const special = SPECIAL_WATCHES.includes(path);
    const place = special ? path : canonicalPath(path, this.domain);
    if (place instanceof StoreError) return place;
    const index = this.#watchIndex(place, token);
    if (index < 0) return storeError("ENOENT");
    this.watches.splice(index, 1);
    return null;
  }

  /** Ends every watch and transaction of the connection. */
  resetWatches(): void {
    this.watches.length = 0;
    this.#transactions.clear();
    this.#events.length = 0;
  }

  /** Begins a transaction; answers its id. */
  startTransaction(): number | StoreError {
    const { transactions } = this.host.quotas;
    if (!this.#privileged && this.#transactions.size >= transactions) return storeError("ENOSPC");
    const view = this.host.beginTransaction();
    this.#transactions.set(view.id!, view);
    return view.id!;
  }

  /** Ends a transaction; EAGAIN if others changed what it saw, and nothing has happened. */
  endTransaction(id: number, outcome: "commit" | "abort"): StoreError | null {
    const view = this.#transactions.get(id);
    if (!view) return storeError("ENOENT");
    this.#transactions.delete(id);
    return outcome === "commit" ? this.host.commit(view) : null;
  }

  /** Tools make a new domain known. */
  introduce(domain: DomainId): StoreError | null {
    if (!this.#privileged) return storeError("EACCES");
    this.host.introduce(domain);
    return null;
  }

  /** Tools say that a domain is gone. */
  release(domain: DomainId): StoreError | null {
    if (!this.#privileged) return storeError("EACCES");
    if (!this.host.isIntroduced(domain)) return storeError("ENOENT");
    this.host.release(domain);
    return null;
  }

  isIntroduced(domain: DomainId): boolean {
    return this.host.isIntroduced(domain);
  }

  /** The home of a domain. */
  domainPath(domain: DomainId): StorePath {
    return domainPath(domain);
  }

  /** Takes the next event, oldest first. */
  takeEvent(): WatchEvent | undefined {
    return this.#events.shift();
  }

  /** Whether an event waits. */
  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  /** The store says that a node changed or went; `exactly`: only those who watch just it are told. */
  hear(path: StorePath, permissions: Permissions, reach: "exactly" | "below" = "below"): void {
    for (const watch of this.watches) {
      const hit = reach === "exactly" ? watch.path === path : isWithin(path, watch.path);
      if (hit && (this.#privileged || permits(permissions, this.domain, "read"))) {
        this.#fire(watch, path);
      }
    }
  }

  /** The store says that domains came or went. */
  hearSpecial(name: string): void {
    if (!this.#privileged) return;
    for (const watch of this.watches) if (watch.path === name) this.#fire(watch, name);
  }

  save(): SnapshotRecord {
    return {
      kind: "storeSession",
      version: 2,
      state: {
        name: this.name,
        domain: this.domain,
        watches: this.watches.map((watch) => ({ ...watch })),
        events: this.#events.map((event) => ({ ...event })),
        transactions: [...this.#transactions.values()].map(saveView),
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "storeSession", 2);
    this.watches.splice(0, this.watches.length, ...state.watches as unknown as Watch[]);
    this.#events.splice(0, this.#events.length, ...state.events as unknown as WatchEvent[]);
    this.#transactions.clear();
    for (const saved of state.transactions as unknown as Parameters<typeof loadView>[0][]) {
      const view = loadView(saved, this.host.beginTransaction);
      this.#transactions.set(view.id!, view);
    }
  }

  #put(path: string, value: Uint8Array | null, transaction: number): StoreError | null {
    const place = this.#place(path, transaction);
    if (place instanceof StoreError) return place;
    const { view } = place;
    const node = view.find(place.path);
    const nearest = node ? { node, path: place.path } : nearestNode(view.root, place.path);
    if (!this.#may(nearest.node, "write")) return storeError("EACCES");
    if (node && value === null) return null;
    view.look(nearest.path);
    const created = partsOf(place.path).length - partsOf(nearest.path).length;
    const owned = view.nodesOwnedBy(this.domain) + created;
    const tooMany = created > 0 && owned > this.host.quotas.nodes;
    if (tooMany && !this.#privileged) return storeError("ENOSPC");
    const owner = this.#privileged ? null : this.domain;
    const bytes = value ?? new Uint8Array(0);
    return this.#change(view, { what: "write", path: place.path, value: bytes, owner });
  }

  #change(view: TreeView, change: Change): StoreError | null {
    if (view.id !== null && view.isFull) return storeError("ENOSPC");
    const before = view.root;
    view.change(change);
    if (view.id === null) this.host.changed(change, before);
    return null;
  }

  #readable(
    path: string,
    transaction: number,
  ): { readonly node: StoreNode; readonly path: StorePath } | StoreError {
    const place = this.#place(path, transaction);
    if (place instanceof StoreError) return place;
    const node = place.view.find(place.path);
    if (!node) return this.#missing(place) ?? storeError("ENOENT");
    return this.#may(node, "read") ? { node, path: place.path } : storeError("EACCES");
  }

  #place(
    path: string,
    transaction: number,
  ): { readonly view: TreeView; readonly path: StorePath } | StoreError {
    const view = transaction === 0 ? this.host.live : this.#transactions.get(transaction);
    if (!view) return storeError("ENOENT");
    if (view.isFull) return storeError("ENOSPC");
    const absolute = canonicalPath(path, this.domain);
    return absolute instanceof StoreError ? absolute : { view, path: absolute };
  }

  /** What is not there is EACCES to those who could not have seen it. */
  #missing({ view, path }: { view: TreeView; path: StorePath }): StoreError | null {
    return this.#may(nearestNode(view.root, path).node, "read") ? null : storeError("EACCES");
  }

  #missingParent({ view, path }: { view: TreeView; path: StorePath }): StoreError | null {
    return view.find(parentOf(path)) ? null : storeError("ENOENT");
  }

  #may(node: StoreNode, access: "read" | "write"): boolean {
    return this.#privileged || permits(node.permissions, this.domain, access);
  }

  #watchIndex(path: StorePath, token: string): number {
    return this.watches.findIndex((watch) => watch.path === path && watch.token === token);
  }

  /** Queues an event unless the same one waits already. */
  #fire({ token, relative }: Watch, path: StorePath): void {
    const home = `${domainPath(this.domain)}/`;
    const shown = relative && path.startsWith(home) ? path.slice(home.length) : path;
    const waiting = this.#events.some((event) => event.path === shown && event.token === token);
    if (waiting || this.#events.length >= EVENT_LIMIT) return;
    this.#events.push({ path: shown, token });
    this.#onEvent();
  }
}
