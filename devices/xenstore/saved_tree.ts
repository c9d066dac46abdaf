/** A tree and a transaction as a snapshot's plain data, and back. */

import type { DomainId } from "../../core/abi/ids.ts";
import type { SnapshotValue } from "../../core/lib/snapshot.ts";
import { partsOf, type StorePath } from "./paths.ts";
import type { Permissions } from "./permissions.ts";
import { type Change, nodesBelow, type StoreNode } from "./tree.ts";
import type { TreeView } from "./view.ts";

type Saved = { readonly [field: string]: SnapshotValue };

interface SavedNode {
  readonly path: StorePath;
  readonly value: Uint8Array;
  readonly permissions: Permissions;
  readonly generation: number;
}

/** Every node, parents before children. */
export function saveTree(root: StoreNode): SnapshotValue[] {
  return [...nodesBelow(root, "/")].map(({ path, node }) => ({
    path,
    value: node.value.slice(),
    permissions: node.permissions.map((permission) => ({ ...permission })),
    generation: node.generation,
  }));
}

/** The tree that {@link saveTree} saved, and how many nodes each domain owns (the root is nobody's). */
export function loadTree(
  saved: readonly SnapshotValue[],
): { readonly root: StoreNode; readonly owned: Map<DomainId, number> } {
  interface Growing extends StoreNode {
    readonly children: Map<string, StoreNode>;
  }
  const nodes = new Map<StorePath, Growing>();
  const owned = new Map<DomainId, number>();
  for (const each of saved as unknown as readonly SavedNode[]) {
    const { path, value, permissions, generation } = each;
    const node: Growing = { value: value.slice(), permissions, generation, children: new Map() };
    nodes.set(path, node);
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) continue;
    nodes.get(`/${parts.join("/")}`)!.children.set(name, node);
    const owner = permissions[0].domain;
    owned.set(owner, (owned.get(owner) ?? 0) + 1);
  }
  return { root: nodes.get("/")!, owned };
}

/** A transaction: what it began with, what it saw, what it did. */
export function saveView(view: TreeView): Saved {
  return {
    id: view.id,
    base: saveTree(view.base),
    root: saveTree(view.root),
    seen: [...view.seen].map(([path, generation]) => [path, generation]),
    changes: view.changes.map((change) => ({ ...change }) as unknown as Saved),
  };
}

/** The transaction that {@link saveView} saved, made from a fresh one. */
export function loadView(
  saved: Saved,
  begin: (id: number, base: StoreNode) => TreeView,
): TreeView {
  const base = loadTree(saved.base as readonly SnapshotValue[]);
  const { root, owned } = loadTree(saved.root as readonly SnapshotValue[]);
  const view = begin(saved.id as number, base.root);
  view.reset(root, owned);
  view.changes.push(...saved.changes as unknown as readonly Change[]);
  for (const [path, generation] of saved.seen as unknown as [StorePath, number | null][]) {
    view.seen.set(path, generation);
  }
  return view;
}
