/**
 * Differential fuzzing of user-mode instructions against the host's CPU (host_fuzzer.ts): every case on the cold tier
 * and the reference, a sample of them translated. Without gcc or on another architecture it is skipped with its reason; under
 * CI it fails.
 */

import { assertEquals } from "@std/assert";
import { fuzz } from "./host_fuzzer.ts";
import { hostObstacle } from "./host_process.ts";

const reason = await hostObstacle();
const skipped = reason !== undefined && Deno.env.get("CI") !== "true";

Deno.test({
  name: skipped
    ? `user-mode instructions agree with the CPU (skipped: ${reason})`
    : "user-mode instructions agree with the CPU, and all engines with each other",
  ignore: skipped,
  async fn() {
    assertEquals(reason, undefined);
    await fuzz({ cases: 1_000_000, translatedBatches: 50 });
  },
});
