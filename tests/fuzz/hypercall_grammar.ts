/**
 * A grammar of hypercalls: mostly sensible, often wrong in one place, sometimes garbage. Frames, addresses and numbers
 * come from what the attacker has, so that a good part of the calls succeeds. It is the same for guests of either data
 * model: structures are laid out as the guest's are.
 */

import { SCHEDOP, SHUTDOWN } from "../../core/abi/operations.ts";
import { multicall_entry } from "../../core/abi/xen.ts";
import { callWords, SCRATCH, words64 } from "../conformance/hypervisor/abi_guest.ts";
import { CHANNEL_RULES } from "./hypercall_channel_rules.ts";
import { CPU_RULES } from "./hypercall_cpu_rules.ts";
import { MEMORY_RULES } from "./hypercall_memory_rules.ts";
import { type GeneratedCall, NOTHING, parts, pick, type Rule, simple } from "./hypercall_values.ts";
import { type AttackWorld, CALL_SCRATCH_BYTES } from "./hypercall_world.ts";
import type { Random } from "./softfloat_operands.ts";

/** In the scratch memory of a call: the entry of a multicall. */
const ENTRY = 256;
/** One call in so many is an entry of a multicall. */
const WRAP_EVERY = 12;

const RULES: readonly Rule[] = [...MEMORY_RULES, ...CHANNEL_RULES, ...CPU_RULES].flatMap(
  ([weight, rule]) => Array.from({ length: weight }, () => rule),
);

/** The call as the entry of a multicall; both succeed or fail. */
function wrapped({ model }: AttackWorld, made: GeneratedCall, scratch: number): GeneratedCall {
  const [op, ...args] = callWords(model, made.call);
  const resultAt = ENTRY + multicall_entry.offsetOf("result", model);
  return {
    call: ["multicall", scratch + ENTRY, 1],
    given: parts(CALL_SCRATCH_BYTES, [0, made.given], [
      ENTRY,
      () =>
        multicall_entry.toBytes(
          { op, args: Array.from({ length: 6 }, (_, i) => BigInt.asUintN(64, args[i] ?? 0n)) },
          model,
        ),
    ]),
    succeeded(result, memory) {
      if (result < 0n) return [];
      const view = new DataView(memory.buffer, memory.byteOffset);
      const inner = model === "lp64"
        ? view.getBigInt64(resultAt, true)
        : BigInt(view.getInt32(resultAt, true));
      return ["multicall", ...made.succeeded(inner, memory)];
    },
  };
}

/** The next call, whose structures are at `scratch`. */
export function generateCall(random: Random, world: AttackWorld, scratch: number): GeneratedCall {
  const made = pick(random, RULES)(random, world, scratch);
  return random.below(WRAP_EVERY) === 0 ? wrapped(world, made, scratch) : made;
}

/** The last call of a domain: it shuts down for one reason or another. */
export function lastCall(random: Random, { guest }: AttackWorld, scratch: number): GeneratedCall {
  const reason = random.below(Object.keys(SHUTDOWN).length + 1);
  const { shutdown } = SCHEDOP;
  const made = random.below(2) === 0
    ? simple(["sched_op", shutdown, scratch], words64(BigInt(reason)), shutdown)
    : simple(["sched_op_compat", shutdown, reason], NOTHING, shutdown);
  const { domain } = guest.domain;
  const ended = () => domain.shutdown !== null && domain.crashMessage === null;
  return { ...made, succeeded: (_, memory) => ended() ? made.succeeded(0n, memory) : [] };
}

/** Linear address of the scratch memory of call number `index`. */
export function scratchOf(index: number): number {
  return SCRATCH + index * CALL_SCRATCH_BYTES;
}
