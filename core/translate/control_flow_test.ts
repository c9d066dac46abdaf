import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { test } from "../lib/testing.ts";
import { type Component, components, type Graph } from "./control_flow.ts";

/** Blocks that a walk visits at most. */
const LONGEST_WALK = 60;

/** Where control continues after a block of structured code. */
type Exit = { readonly kind: "branch" | "enter"; readonly block: number } | {
  readonly kind: "end";
};

/**
 * Runs what {@link components} found as the region writer nests it: a block whose way leads to a loop or merge that is
 * open branches there; to a component's head through the dispatch loop; else what it leads to stands right behind it, once.
 */
class Structured {
  readonly visited: number[] = [];

  constructor(
    private readonly graph: Graph,
    private readonly found: readonly Component[],
    private readonly choices: readonly number[],
  ) {}

  run(entry: number): readonly number[] {
    let head = entry;
    for (;;) {
      const component = this.found.find((one) => one.head === head);
      assert(component, `block ${head} is entered and heads no component`);
      const exit = this.#tree(component, head, new Set());
      if (exit.kind === "end") return this.visited;
      assertEquals(exit.kind, "enter");
      head = exit.block;
    }
  }

  /** The code of `block` and of what it dominates, with labels `open` around it. */
  #tree(component: Component, block: number, open: ReadonlySet<number>): Exit {
    const isLoop = component.loops.has(block);
    const merges = component.merges.get(block) ?? [];
    const inside = new Set([...open, ...merges, ...(isLoop ? [block] : [])]);
    for (;;) {
      let exit = this.#block(component, block, inside);
      // Out of the innermost block first: the last of the merges.
      for (const [i, merge] of [...merges].reverse().entries()) {
        if (exit.kind !== "branch" || exit.block !== merge) continue;
        const closed = merges.slice(merges.length - 1 - i);
        const still = new Set([...inside].filter((one) => !closed.includes(one)));
        exit = this.#tree(component, merge, still);
      }
      if (!(isLoop && exit.kind === "branch" && exit.block === block)) return exit;
    }
  }

  #block(component: Component, block: number, open: ReadonlySet<number>): Exit {
    const ways = this.graph.successors[block];
    this.visited.push(block);
    if (ways.length === 0 || this.visited.length >= LONGEST_WALK) return { kind: "end" };
    const next = ways[this.choices[this.visited.length % this.choices.length] % ways.length];
    if (open.has(next)) return { kind: "branch", block: next };
    if (this.found.some(({ head }) => head === next)) return { kind: "enter", block: next };
    return this.#tree(component, next, open);
  }
}

function walk({ successors }: Graph, entry: number, choices: readonly number[]): number[] {
  const visited: number[] = [];
  for (let block = entry;;) {
    visited.push(block);
    const ways = successors[block];
    if (ways.length === 0 || visited.length >= LONGEST_WALK) return visited;
    block = ways[choices[visited.length % choices.length] % ways.length];
  }
}

/** Ways to each block that is written where the way to it stands: more than one would double its code. */
function waysInPlace({ successors }: Graph, found: readonly Component[]): Map<number, number> {
  const ways = new Map<number, number>();
  const heads = new Set(found.map(({ head }) => head));
  for (const { order, merges } of found) {
    const merged = new Set([...merges.values()].flat());
    for (const [i, block] of order.entries()) {
      for (const next of successors[block]) {
        const isBack = order.indexOf(next) <= i;
        if (heads.has(next) || merged.has(next) || isBack) continue;
        ways.set(next, (ways.get(next) ?? 0) + 1);
      }
    }
  }
  return ways;
}

const graphs = fc.integer({ min: 1, max: 14 }).chain((size) =>
  fc.record({
    successors: fc.array(
      fc.array(fc.integer({ min: 0, max: size - 1 }), { maxLength: 3 }),
      { minLength: size, maxLength: size },
    ),
    entries: fc.array(fc.integer({ min: 0, max: size - 1 }), { minLength: 1, maxLength: 3 }),
    choices: fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }),
  })
);

test("structured code visits the blocks that the graph visits, whatever its shape", () => {
  fc.assert(
    fc.property(graphs, ({ successors, entries, choices }) => {
      const found = components({ successors }, entries);
      for (const entry of entries) {
        const structured = new Structured({ successors }, found, choices);
        assertEquals(structured.run(entry), walk({ successors }, entry, choices));
      }
    }),
    { numRuns: 2000 },
  );
});

test("every block that an entry reaches is in one component, and written once", () => {
  fc.assert(
    fc.property(graphs, ({ successors, entries }) => {
      const found = components({ successors }, entries);
      const reached = new Set(entries);
      for (const block of reached) for (const next of successors[block]) reached.add(next);
      const placed = found.flatMap(({ order }) => order);
      assertEquals(placed.toSorted((a, b) => a - b), [...reached].sort((a, b) => a - b));
      for (const [block, ways] of waysInPlace({ successors }, found)) {
        assertEquals(ways, 1, `ways to block ${block}`);
      }
    }),
    { numRuns: 2000 },
  );
});

/** What becomes of some shapes: heads of components, loops, merges by the block that dominates them. */
const SHAPES: readonly {
  readonly claim: string;
  readonly successors: readonly (readonly number[])[];
  readonly entries?: readonly number[];
  readonly expected:
    readonly (readonly [head: number, loops: number[], merges: [number, number[]][]])[];
}[] = [
  { claim: "a straight line", successors: [[1], [2], []], expected: [[0, [], []]] },
  { claim: "a loop", successors: [[1], [1, 2], []], expected: [[0, [1], []]] },
  { claim: "a diamond", successors: [[1, 2], [3], [3], []], expected: [[0, [], [[0, [3]]]]] },
  {
    claim: "two ways from one block to another",
    successors: [[1, 1], []],
    expected: [[0, [], [[0, [1]]]]],
  },
  {
    claim: "nested loops",
    successors: [[1], [2], [2, 3], [1, 4], []],
    expected: [[0, [1, 2], []]],
  },
  {
    claim: "a loop of two entries is cut into components",
    successors: [[1, 2], [2], [1]],
    expected: [[0, [], []], [1, [], []], [2, [], []]],
  },
  {
    claim: "a block of two heads is a head",
    successors: [[2], [2], []],
    entries: [0, 1],
    expected: [[0, [], []], [1, [], []], [2, [], []]],
  },
];

for (const { claim, successors, entries = [0], expected } of SHAPES) {
  test(`control flow of ${claim}`, () => {
    const found = components({ successors }, entries).map(({ head, loops, merges }) => [
      head,
      [...loops].sort((a, b) => a - b),
      [...merges].map(([block, merged]) => [block, [...merged]]),
    ]);
    assertEquals(found.toSorted((a, b) => (a[0] as number) - (b[0] as number)), expected as never);
  });
}
