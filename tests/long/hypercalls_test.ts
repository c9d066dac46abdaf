/** A million hypercalls from a grammar, with every frame's counts audited after each thousand. */

import { assert } from "@std/assert";
import { attack } from "../fuzz/hypercall_attack.ts";

/** Operations that must have succeeded often, so that success was tried as well as failure. */
const OPERATIONS: readonly string[] = [
  ...["update_va_mapping", "mmu_update", "mmuext_op", "set_gdt", "update_descriptor"],
  ...["memory_op.0", "memory_op.1", "memory_op.6", "memory_op.11"],
  ...["event_channel_op.3", "event_channel_op.4", "event_channel_op.6", "event_channel_op.7"],
  ...["grant_table_op.2", "grant_table_op.6", "vcpu_op.3", "vcpu_op.4", "physdev_op.6"],
];

for (const model of ["lp64", "ilp32"] as const) {
  const width = model === "lp64" ? 64 : 32;
  Deno.test(`a million hypercalls of a ${width}-bit guest leave every count right and the neighbour untouched`, async () => {
    const { succeeded } = await attack(20_261_121, 1_000_000, 1000, model);
    for (const name of OPERATIONS) {
      assert(
        (succeeded.get(name) ?? 0) >= 100,
        `${name} succeeded ${succeeded.get(name) ?? 0} times`,
      );
    }
  });
}
