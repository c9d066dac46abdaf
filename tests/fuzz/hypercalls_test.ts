/** Hypercalls from a grammar, by a domain without privilege, beside a domain that nothing must happen to. */

import { assert, assertEquals } from "@std/assert";
import { auditFrames } from "../../core/hypervisor/memory/audit.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import { Digest } from "../../core/trace/trace.ts";
import { AbiGuest } from "../conformance/hypervisor/abi_guest.ts";
import { CALL_SCRATCH_BYTES, generateCall, scratchOf } from "./hypercall_grammar.ts";
import { Random } from "./softfloat_operands.ts";

// A seed that finds a bug becomes a case of its own.
const SEEDS: readonly number[] = [1, 2, 3];
const BATCHES = 40;
const CALLS_PER_BATCH = 48;
const PAGE_BYTES = 4096;

for (const seed of SEEDS) {
  Deno.test(`hypercalls from a grammar, seed ${seed}, leave every count right and the neighbour untouched`, async () => {
    const random = new Random(seed);
    const guest = await AbiGuest.start();
    const neighbour = await AbiGuest.join(guest.host);
    const { hypervisor } = guest.host;
    const before = contentsOf(hypervisor, neighbour);
    let succeeded = 0;
    for (let batch = 0; batch < BATCHES; batch++) {
      const calls = Array.from({ length: CALLS_PER_BATCH }, (_, i) => {
        const { call, scratch } = generateCall(random, guest, scratchOf(i));
        guest.poke(scratchOf(i), new Uint8Array(CALL_SCRATCH_BYTES));
        guest.poke64(scratchOf(i), ...scratch);
        return call;
      });
      const results = await guest.calls(calls);
      succeeded += results.filter((result) => result >= 0n).length;
      assertEquals(auditFrames(hypervisor), [], `seed ${seed}, batch ${batch}`);
    }
    assertEquals(contentsOf(hypervisor, neighbour), before);
    const share = succeeded / (BATCHES * CALLS_PER_BATCH);
    assert(share > 0.2, `only ${Math.round(100 * share)} % of the calls succeeded`);
    hypervisor.destroyDomain(guest.domain.domain);
    assertEquals(auditFrames(hypervisor), []);
    assertEquals([...hypervisor.frames.framesOf(guest.domain.id)], []);
  });
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
