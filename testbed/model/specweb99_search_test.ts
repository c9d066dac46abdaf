import { assert, assertEquals, assertRejects } from "@std/assert";
import { measureSpecWeb } from "./specweb99.ts";
import { FIGURE_3_WEB99 } from "./specweb99_figures.ts";
import { searchSpecWeb } from "./specweb99_search.ts";

const SHORT = { warmUpSeconds: 3, seconds: 4, seed: 1 };

Deno.test("Figure 3: the search finds user-mode Linux's connections within 25 % of what the paper printed", async () => {
  const { platform, published } = FIGURE_3_WEB99.UML;
  const best = await searchSpecWeb({ platform, cpus: 1, instances: 1, ...SHORT });
  assert(Math.abs(best.total / published - 1) < 0.25, `${best.total}: ${best.tried}`);
  assert(best.total <= best.connections);
  assertEquals(best.conforming, [best.total]);
});

Deno.test("two domains share clients evenly, and the same seed gives the same schedule", async () => {
  const two = { platform: "xen-pv", cpus: 2, instances: 2, connections: 40, ...SHORT } as const;
  const [one, again, other] = [
    await measureSpecWeb(two),
    await measureSpecWeb(two),
    await measureSpecWeb({ ...two, seed: 2 }),
  ];
  assertEquals(one.conforming, [20, 20]);
  assertEquals(one, again);
  assert(one.trace.hash !== other.trace.hash);
});

Deno.test("a measurement stops when its signal says so, and refuses numbers below 1", async () => {
  const run = { platform: "native", cpus: 1, instances: 1, connections: 10, ...SHORT } as const;
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => measureSpecWeb(run, { signal }), Error, "enough");
  const none = { ...run, connections: 0 };
  await assertRejects(() => measureSpecWeb(none), RangeError, "connections must be at least 1");
});
