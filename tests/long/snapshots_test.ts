/** Debian from snapshots at random cycles of its boot, on each engine as often as its speed allows. */

import { requireDebian } from "../guests/debian_image.ts";
import { checkSnapshots, type SnapshotPoints } from "../guests/snapshot_points.ts";

const SEED = 4711;
const BOOT_CYCLES = 2_700_000_000;

const POINTS: readonly SnapshotPoints[] = [
  { engine: "hot", points: 1000, before: BOOT_CYCLES, seed: SEED, recordEvery: 20 },
  { engine: "cold", points: 100, before: BOOT_CYCLES, seed: SEED + 1, recordEvery: 10 },
  // The reference would take hours for a whole boot.
  { engine: "reference", points: 5, before: 60_000_000, seed: SEED + 2, recordEvery: 1 },
];

for (const each of POINTS) {
  Deno.test(`${each.engine}: Debian goes on from ${each.points} snapshots as it went on without`, async () => {
    if (!await requireDebian("amd64")) return;
    await checkSnapshots(each);
  });
}
