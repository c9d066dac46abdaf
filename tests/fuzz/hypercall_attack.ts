/** Hypercalls from the grammar, by a domain without privilege, beside a domain that nothing must happen to. */

import { assert, assertEquals } from "@std/assert";
import { auditFrames } from "../../core/hypervisor/memory/audit.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import { Digest } from "../../core/trace/trace.ts";
import { AbiGuest, type Call } from "../conformance/hypervisor/abi_guest.ts";
import { CALL_SCRATCH_BYTES, generateCall, scratchOf } from "./hypercall_grammar.ts";
import { Random } from "./softfloat_operands.ts";

const CALLS_PER_BATCH = 48;
const PAGE_BYTES = 4096;
/** Hypercalls whose first argument says which operation is meant. */
const HAS_OPERATIONS: ReadonlySet<string> = new Set([
  ...["memory_op", "vcpu_op", "event_channel_op", "grant_table_op", "xen_version", "physdev_op"],
]);

/** What an attack consisted of. */
export interface Attack {
  readonly calls: number;
  /** How often each operation succeeded, by `hypercall` or `hypercall.operation`. */
  readonly succeeded: ReadonlyMap<string, number>;
}

/**
 * Makes `calls` hypercalls from a guest of a data model, and fails if a count of any frame is wrong, or the neighbour,
 * which is of the other one, has changed. Counts are audited after each `auditEvery` calls.
 */
export async function attack(
  seed: number,
  calls: number,
  auditEvery: number,
  model: DataModel = "lp64",
): Promise<Attack> {
  const random = new Random(seed);
  const guest = await AbiGuest.start({ model });
  const neighbour = await AbiGuest.join(guest.host, model === "lp64" ? "ilp32" : "lp64");
  const { hypervisor } = guest.host;
  const before = contentsOf(hypervisor, neighbour);
  const succeeded = new Map<string, number>();
  let made = 0;
  for (let audited = 0; made < calls; made += CALLS_PER_BATCH) {
    const batch = Array.from({ length: CALLS_PER_BATCH }, (_, i) => {
      const { call, given } = generateCall(random, guest, scratchOf(i));
      guest.poke(scratchOf(i), new Uint8Array(CALL_SCRATCH_BYTES));
      guest.poke(scratchOf(i), given(model));
      return call;
    });
    const results = await guest.calls(batch);
    results.forEach((result, i) => {
      if (result < 0n) return;
      const name = operationOf(batch[i]);
      succeeded.set(name, (succeeded.get(name) ?? 0) + 1);
    });
    if (made - audited < auditEvery) continue;
    audited = made;
    assertEquals(auditFrames(hypervisor), [], `seed ${seed}, after ${made} calls`);
  }
  assertEquals(contentsOf(hypervisor, neighbour), before);
  hypervisor.destroyDomain(guest.domain.domain);
  assertEquals(auditFrames(hypervisor), []);
  assertEquals([...hypervisor.frames.framesOf(guest.domain.id)], []);
  const total = [...succeeded.values()].reduce((sum, count) => sum + count, 0);
  assert(total > made / 5, `only ${total} of ${made} calls succeeded`);
  return { calls: made, succeeded };
}

function operationOf([name, first]: Call): string {
  return HAS_OPERATIONS.has(name) ? `${name}.${first}` : name;
}

/** A digest of a domain's frames, their types and their contents. */
function contentsOf({ frames, memory }: Hypervisor, { domain }: AbiGuest): string {
  const digest = new Digest();
  const bytes = new Uint8Array(PAGE_BYTES);
  const words = new Int32Array(bytes.buffer);
  for (const frame of frames.framesOf(domain.id)) {
    digest.add(frame);
    digest.add(frames.type[frame]);
    digest.add(frames.typeCount[frame]);
    memory.readBytes(frame, 0, bytes);
    for (const word of words) digest.add(word);
  }
  return digest.toString();
}
