/**
 * From a graph of blocks to structured control flow.
 *
 * WebAssembly has no jump to an arbitrary place, so the graph is cut into *components*, each with one head through
 * which it is entered. Within a component, jumps become branches of nested blocks and loops by the dominator tree
 * (Ramsey, "Beyond Relooper", ICFP 2022); jumps to another component's head go through the region's dispatch loop.
 */

/** Successors by block, one for each way that leads there; each block is known by its number. */
export interface Graph {
  readonly successors: readonly (readonly number[])[];
}

/** A part of the graph that is entered at its head only. */
export interface Component {
  readonly head: number;
  /** Its blocks in reverse postorder, the head first. */
  readonly order: readonly number[];
  /** Blocks that some block behind them in the order jumps back to. */
  readonly loops: ReadonlySet<number>;
  /** Blocks to which several ways lead from before them, by the block that immediately dominates them, last in order first. */
  readonly merges: ReadonlyMap<number, readonly number[]>;
}

/** Cuts the graph into components, of which `entries` are heads. Every block reachable from an entry is in one. */
export function components(graph: Graph, entries: readonly number[]): readonly Component[] {
  const heads = new Set(entries);
  for (;;) {
    const shared = blockOfSeveralHeads(graph, heads);
    if (shared >= 0) {
      heads.add(shared);
      continue;
    }
    const found: Component[] = [];
    let irreducible = -1;
    for (const head of heads) {
      const component = analyse(graph, head, heads);
      if (typeof component === "number") {
        irreducible = component;
        break;
      }
      found.push(component);
    }
    if (irreducible < 0) return found;
    heads.add(irreducible);
  }
}

/** A block that is no head and is reached from two heads, or -1. */
function blockOfSeveralHeads({ successors }: Graph, heads: ReadonlySet<number>): number {
  const owner = new Map<number, number>();
  for (const head of heads) {
    const todo = [head];
    for (let block = todo.pop(); block !== undefined; block = todo.pop()) {
      for (const next of successors[block]) {
        if (heads.has(next)) continue;
        const known = owner.get(next);
        if (known === head) continue;
        if (known !== undefined) return next;
        owner.set(next, head);
        todo.push(next);
      }
    }
  }
  return -1;
}

/** The component of `head`; or a block to make a head of, if there is a jump back into the middle of a loop. */
function analyse(graph: Graph, head: number, heads: ReadonlySet<number>): Component | number {
  const inside = (block: number) =>
    graph.successors[block].filter((next) => next === head || !heads.has(next));
  const order = reversePostorder(head, inside);
  const position = new Map(order.map((block, i) => [block, i]));
  const predecessors = new Map<number, number[]>(order.map((block) => [block, []]));
  for (const block of order) {
    for (const next of inside(block)) predecessors.get(next)!.push(block);
  }
  const dominator = immediateDominators(order, position, predecessors);
  const loops = new Set<number>();
  const merges = new Map<number, number[]>();
  for (const [i, block] of order.entries()) {
    const back = predecessors.get(block)!.filter((from) => position.get(from)! >= i);
    for (const from of back) {
      if (!dominates(block, from, dominator)) return block;
      loops.add(block);
    }
    if (predecessors.get(block)!.length - back.length < 2) continue;
    const parent = dominator.get(block)!;
    const children = merges.get(parent) ?? [];
    children.unshift(block);
    merges.set(parent, children);
  }
  return { head, order, loops, merges };
}

function reversePostorder(head: number, inside: (block: number) => readonly number[]): number[] {
  const order: number[] = [];
  const seen = new Set([head]);
  // An explicit stack of blocks and of how many of their successors were visited.
  const stack: { block: number; next: readonly number[]; done: number }[] = [
    { block: head, next: inside(head), done: 0 },
  ];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (top.done === top.next.length) {
      order.push(top.block);
      stack.pop();
      continue;
    }
    const next = top.next[top.done++];
    if (seen.has(next)) continue;
    seen.add(next);
    stack.push({ block: next, next: inside(next), done: 0 });
  }
  return order.reverse();
}

/** Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm". */
function immediateDominators(
  order: readonly number[],
  position: ReadonlyMap<number, number>,
  predecessors: ReadonlyMap<number, readonly number[]>,
): ReadonlyMap<number, number> {
  const dominator = new Map<number, number>([[order[0], order[0]]]);
  const intersect = (a: number, b: number): number => {
    while (a !== b) {
      while (position.get(a)! > position.get(b)!) a = dominator.get(a)!;
      while (position.get(b)! > position.get(a)!) b = dominator.get(b)!;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const block of order.slice(1)) {
      const known = predecessors.get(block)!.filter((from) => dominator.has(from));
      const found = known.reduce((a, b) => intersect(a, b));
      if (dominator.get(block) === found) continue;
      dominator.set(block, found);
      changed = true;
    }
  }
  return dominator;
}

function dominates(a: number, b: number, dominator: ReadonlyMap<number, number>): boolean {
  for (;;) {
    if (a === b) return true;
    const up = dominator.get(b)!;
    if (up === b) return false;
    b = up;
  }
}
