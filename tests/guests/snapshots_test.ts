/** A sample of tests/long/snapshots_test.ts. */

import { requireDebian } from "./debian_image.ts";
import { checkSnapshots } from "./snapshot_points.ts";

const SEED = 20_261_121;

Deno.test("Debian goes on from snapshots at three random cycles as it went on without", async () => {
  if (!await requireDebian("amd64")) return;
  await checkSnapshots({
    engine: "hot",
    points: 3,
    before: 300_000_000,
    seed: SEED,
    recordEvery: 1,
  });
});
