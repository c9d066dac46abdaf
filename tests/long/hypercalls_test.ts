/** A million hypercalls from a grammar, with every frame's counts audited after each thousand. */

import { assertEquals } from "@std/assert";
import { attack } from "../fuzz/hypercall_attack.ts";
import { possibleOperations } from "../fuzz/hypercall_operations.ts";

const ENOUGH = 100;

for (const model of ["lp64", "ilp32"] as const) {
  const width = model === "lp64" ? 64 : 32;
  Deno.test(`a million hypercalls of ${width}-bit guests leave every count right and the neighbour untouched`, async () => {
    const { succeeded, crashes } = await attack(20_261_121, 1_000_000, 1000, model);
    assertEquals(crashes, []);
    // Success was tried as well as failure, with every sub-operation.
    const counts = possibleOperations(model).map((name) =>
      [name, succeeded.get(name) ?? 0] as const
    );
    assertEquals(counts.filter(([, count]) => count < ENOUGH), []);
  });
}
