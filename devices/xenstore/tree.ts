/**
 * The tree of nodes, as values: a change makes new nodes along one path and shares all others.
 *
 * A transaction therefore starts from the root of the moment at no cost, and what it has seen can be
 * compared with what is there when it ends: each node has a generation that changes with its value,
 * its permissions and the set of its children.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import { partsOf, type StorePath } from "./paths.ts";
import type { Permissions } from "./permissions.ts";

/** One node; never changed, only replaced. */
export interface StoreNode {
  readonly value: Uint8Array;
  readonly permissions: Permissions;
  /** In order of creation. */
  readonly children: ReadonlyMap<string, StoreNode>;
  readonly generation: number;
}

/** What changes a tree. */
export type Change =
  | {
    readonly what: "write";
    readonly path: StorePath;
    readonly value: Uint8Array;
    /** Who owns nodes that the write creates, or `null`: whoever owns the parent. */
    readonly owner: DomainId | null;
  }
  | { readonly what: "setPermissions"; readonly path: StorePath; readonly permissions: Permissions }
  | { readonly what: "remove"; readonly path: StorePath };

/** Told of nodes that come and go, and of their owners. */
export type Account = (owner: DomainId, count: 1 | -1) => void;

/** An empty tree, owned by domain 0. */
export function emptyRoot(): StoreNode {
  return {
    value: new Uint8Array(0),
    permissions: [{ domain: 0 as DomainId, access: "n" }],
    children: new Map(),
    generation: 0,
  };
}

/** The node at `path`, or `null`. */
export function findNode(root: StoreNode, path: StorePath): StoreNode | null {
  let node: StoreNode | undefined = root;
  for (const part of partsOf(path)) {
    node = node.children.get(part);
    if (!node) return null;
  }
  return node;
}

/** The nearest node at or above `path` that exists, and its path. */
export function nearestNode(
  root: StoreNode,
  path: StorePath,
): { readonly path: StorePath; readonly node: StoreNode } {
  let found = { path: "/", node: root };
  for (const part of partsOf(path)) {
    const node = found.node.children.get(part);
    if (!node) break;
    found = { path: found.path === "/" ? `/${part}` : `${found.path}/${part}`, node };
  }
  return found;
}

/** Every node at and below `node`, parents before children. */
export function* nodesBelow(
  node: StoreNode,
  path: StorePath,
): IterableIterator<{ readonly path: StorePath; readonly node: StoreNode }> {
  const waiting = [{ path, node }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    yield next;
    const base = next.path === "/" ? "" : next.path;
    for (const [name, child] of [...next.node.children].reverse()) {
      waiting.push({ path: `${base}/${name}`, node: child });
    }
  }
}

/** The tree after `change`; `generation` marks the nodes that differ. */
export function applyChange(
  root: StoreNode,
  change: Change,
  generation: number,
  account: Account,
): StoreNode {
  const parts = partsOf(change.path);
  switch (change.what) {
    case "write":
      return write(root, parts, change.value, change.owner, generation, account);
    case "setPermissions":
      return replace(root, parts, (node) => {
        account(node.permissions[0].domain, -1);
        account(change.permissions[0].domain, 1);
        return { ...node, permissions: change.permissions, generation };
      });
    case "remove":
      return remove(root, parts, generation, account);
  }
}

/** Sets a value, and creates what is missing on the way with empty values. */
function write(
  node: StoreNode,
  [part, ...rest]: string[],
  value: Uint8Array,
  owner: DomainId | null,
  generation: number,
  account: Account,
): StoreNode {
  if (part === undefined) return { ...node, value, generation };
  const child = node.children.get(part);
  const next = child ?? inherit(node, owner, generation);
  if (!child) account(next.permissions[0].domain, 1);
  const children = new Map(node.children);
  children.set(part, write(next, rest, value, owner, generation, account));
  return { ...node, children, generation: child ? node.generation : generation };
}

function inherit(parent: StoreNode, owner: DomainId | null, generation: number): StoreNode {
  const [first, ...others] = parent.permissions;
  const permissions: Permissions = [{ ...first, domain: owner ?? first.domain }, ...others];
  return { value: new Uint8Array(0), permissions, children: new Map(), generation };
}

function remove(
  root: StoreNode,
  parts: readonly string[],
  generation: number,
  account: Account,
): StoreNode {
  const name = parts[parts.length - 1];
  return replace(root, parts.slice(0, -1), (parent) => {
    const gone = parent.children.get(name);
    if (!gone) return parent;
    for (const { node } of nodesBelow(gone, "/")) account(node.permissions[0].domain, -1);
    const children = new Map(parent.children);
    children.delete(name);
    return { ...parent, children, generation };
  });
}

/** Replaces the node at `parts` by what `update` makes of it; nothing happens if there is none. */
function replace(
  node: StoreNode,
  [part, ...rest]: readonly string[],
  update: (node: StoreNode) => StoreNode,
): StoreNode {
  if (part === undefined) return update(node);
  const child = node.children.get(part);
  if (!child) return node;
  const children = new Map(node.children);
  children.set(part, replace(child, rest, update));
  return { ...node, children };
}
