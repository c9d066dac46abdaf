/** Hypercalls from the grammar, by domains without privilege, beside a domain that nothing must happen to. */

import { assert, assertEquals } from "@std/assert";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import { auditFrames } from "../../core/hypervisor/memory/audit.ts";
import { Digest } from "../../core/trace/trace.ts";
import { Host } from "../../testbed/host/host.ts";
import { AbiGuest } from "../conformance/hypervisor/abi_guest.ts";
import { generateCall, lastCall, scratchOf } from "./hypercall_grammar.ts";
import type { GeneratedCall } from "./hypercall_values.ts";
import { AttackWorld, CALL_SCRATCH_BYTES, CALLS_PER_BATCH } from "./hypercall_world.ts";
import { Random } from "./softfloat_operands.ts";

const PAGE_BYTES = 4096;
/** Calls of one pair of domains; then others take their place, with all their memory. */
const CALLS_PER_LIFE = 2500;

/** What an attack consisted of. */
export interface Attack {
  readonly calls: number;
  /** Calls of which something succeeded. */
  readonly successful: number;
  /** How often each sub-operation succeeded, by `hypercall` or `hypercall.operation`. */
  readonly succeeded: ReadonlyMap<string, number>;
  /** Why attackers crashed before their time. */
  readonly crashes: readonly string[];
}

/** An attack under way. */
interface Attempt {
  readonly random: Random;
  readonly host: Host;
  readonly succeeded: Map<string, number>;
  readonly crashes: string[];
  calls: number;
  successful: number;
  auditedAt: number;
}

/**
 * Makes `calls` hypercalls from guests of a data model, and fails if a count of any frame is wrong, or the neighbour,
 * which is of the other one, has changed. Counts are audited after each `auditEvery` calls.
 */
export async function attack(
  seed: number,
  calls: number,
  auditEvery: number,
  model: DataModel = "lp64",
): Promise<Attack> {
  const host = await Host.boot({ memory: "48MiB", profile: "free" });
  const neighbour = await AbiGuest.join(host, model === "lp64" ? "ilp32" : "lp64");
  const { hypervisor } = host;
  hypervisor.pause(neighbour.domain.domain);
  const before = contentsOf(hypervisor, neighbour);
  // The first domain of a data model makes tables that stay.
  host.destroy((await AbiGuest.join(host, model)).domain);
  const free = hypervisor.frames.freeFrames;
  const counts = { calls: 0, successful: 0, auditedAt: 0 };
  const attempt = { random: new Random(seed), host, ...counts, succeeded: new Map(), crashes: [] };
  while (attempt.calls < calls) {
    await live(attempt, Math.min(calls, attempt.calls + CALLS_PER_LIFE), auditEvery, model);
    assertEquals(auditFrames(hypervisor), [], `seed ${seed}, after ${attempt.calls} calls`);
    assertEquals(hypervisor.frames.freeFrames, free, "frames of those who are gone");
    assertEquals(contentsOf(hypervisor, neighbour), before);
  }
  const { successful } = attempt;
  assert(successful > attempt.calls / 5, `${successful} of ${attempt.calls} calls succeeded`);
  return attempt;
}

/** The life of one pair of domains, up to the call of number `until`, or to its crash. */
async function live(
  attempt: Attempt,
  until: number,
  auditEvery: number,
  model: DataModel,
): Promise<void> {
  const { random, host } = attempt;
  const world = await AttackWorld.start(host, model);
  const { domain } = world.guest.domain;
  while (attempt.calls < until && domain.shutdown === null) {
    world.prepare(random);
    const rest = until - attempt.calls;
    const batch = Array.from({ length: Math.min(CALLS_PER_BATCH, rest) }, (_, i) => {
      const last = i === rest - 1;
      return last
        ? lastCall(random, world, scratchOf(i))
        : generateCall(random, world, scratchOf(i));
    });
    await make(attempt, world, batch);
    if (attempt.calls - attempt.auditedAt < auditEvery) continue;
    attempt.auditedAt = attempt.calls;
    assertEquals(auditFrames(host.hypervisor), [], `after ${attempt.calls} calls`);
  }
  if (domain.crashMessage !== null) attempt.crashes.push(domain.crashMessage);
  const pair = [world.guest, world.accomplice];
  if (random.below(2) === 0) pair.reverse();
  for (const { domain } of pair) {
    host.destroy(domain);
    assertEquals(auditFrames(host.hypervisor), [], `after ${attempt.calls} calls`);
  }
}

/** Makes the calls of a batch, and counts what succeeded. */
async function make(
  attempt: Attempt,
  { guest }: AttackWorld,
  batch: readonly GeneratedCall[],
): Promise<void> {
  batch.forEach(({ given }, i) => {
    guest.poke(scratchOf(i), new Uint8Array(CALL_SCRATCH_BYTES));
    guest.poke(scratchOf(i), given(guest.model));
  });
  const { domain } = guest.domain;
  const whenIdle = () => guest.host.hypervisor.sendNmi(domain.vcpus[0]);
  const results = await guest.calls(batch.map(({ call }) => call), { whenIdle, mayEnd: true });
  batch.forEach(({ succeeded }, i) => {
    const names = succeeded(results[i], guest.peek(scratchOf(i), CALL_SCRATCH_BYTES));
    if (names.length > 0) attempt.successful++;
    for (const name of names) {
      attempt.succeeded.set(name, (attempt.succeeded.get(name) ?? 0) + 1);
    }
  });
  attempt.calls += batch.length;
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
