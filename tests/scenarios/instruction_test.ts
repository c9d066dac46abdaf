/** The scenarios with real kernels, in short. */

import { assert, assertEquals } from "@std/assert";
import { requireDebian } from "../guests/debian_image.ts";
import { recordOf } from "./record_of.ts";

Deno.test("server_consolidation with Debian domains: utilization and memory rise with the servers, answers stay quick", async () => {
  if (!await requireDebian("amd64")) return;
  const settings = { fidelity: "instruction", servers: "1,2", connections: 5, duration: "2s" };
  const { tables, images, conclusions } = await recordOf("server_consolidation", settings);
  const [one, two] = tables[0].rows.map((row) => row.map(Number));
  const [SERVERS, USED, MEMORY, ANSWERS, MEAN, WORST, FAILURES] = one.keys();
  assertEquals([one[SERVERS], two[SERVERS]], [1, 2]);
  assert(0 < one[USED] && one[USED] < two[USED] && two[USED] < 20, `${one[USED]}, ${two[USED]} %`);
  for (const row of [one, two]) {
    const perServer = row[MEMORY] / row[SERVERS];
    assert(perServer >= 96 && perServer < 98, `${perServer} MiB each`);
    assert(row[ANSWERS] > 0 && row[MEAN] <= row[WORST] && row[WORST] < 20, `${row}`);
    assertEquals(row[FAILURES], 0);
  }
  assertEquals(images.map(({ name }) => name), ["debian-amd64"]);
  assertEquals(conclusions, [
    "up to 2 Debian servers answer all their clients within 20 ms on average",
  ]);
});
