import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { measureTtcp } from "./ttcp.ts";
import { TABLE_6, TABLE_6_COLUMNS } from "./ttcp_figures.ts";

/** An even number of full segments of either length: the last one waits for no acknowledgment. */
const BYTES = 448 * 1448 * 16;

for (const [name, { platform, published }] of Object.entries(TABLE_6)) {
  const percent = name === "Linux" || name === "Xen" ? 5 : 20;
  Deno.test(`Table 6: ttcp on ${name} is within ${percent} % of what the paper printed`, async () => {
    for (const [column, { mtu, direction }] of TABLE_6_COLUMNS.entries()) {
      const run = { profile: "xeon-2003", platform, mtu, direction, bytes: BYTES };
      const error = ((await measureTtcp(run)).megabitsPerSecond / published[column] - 1) * 100;
      assert(Math.abs(error) <= percent, `${mtu} ${direction}: ${error} %`);
    }
  });
}

Deno.test("ttcp gives the same figure again, to the last digit; another seed another trace", async () => {
  const run = {
    profile: "xeon-2003",
    platform: "xen-pv",
    mtu: 1500,
    direction: "receive",
  } as const;
  const measure = (seed: number) => measureTtcp({ ...run, bytes: 1_000_000, seed });
  assertEquals(await measure(1), await measure(1));
  assertNotEquals((await measure(1)).trace, (await measure(2)).trace);
});

Deno.test("a profile that is not there is named with those that are", async () => {
  const run = { platform: "native", mtu: 1500, direction: "transmit", bytes: 1 } as const;
  await assertRejects(
    () => measureTtcp({ ...run, profile: "xeon" }),
    RangeError,
    "no cost profile xeon",
  );
});
