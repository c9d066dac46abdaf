/** A million cases of user-mode instructions, each of them translated as well: host and engines agree on all. */

import { assertEquals } from "@std/assert";
import { fuzz } from "../fuzz/host_fuzzer.ts";
import { hostObstacle } from "../fuzz/host_process.ts";

Deno.test("a million user-mode cases agree with the CPU on every engine, translated ones included", async () => {
  assertEquals(await hostObstacle(), undefined);
  await fuzz({ cases: 1_000_000, translatedBatches: 1 });
});
