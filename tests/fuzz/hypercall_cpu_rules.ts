/** Rules of the grammar: the virtual CPU's registers and tables, time, waiting, what the hypervisor is. */

import { trap_info } from "../../core/abi/arch_x86.ts";
import {
  callback_register,
  CALLBACKOP,
  CALLBACKTYPE,
  sched_poll,
  SCHEDOP,
  VCPUOP,
} from "../../core/abi/operations.ts";
import { type Given, longs, structs, words64 } from "../conformance/hypervisor/abi_guest.ts";
import {
  aFrame,
  anAddress,
  anOperation,
  NOTHING,
  number,
  number32,
  parts,
  pick,
  place,
  type Rule,
  simple,
} from "./hypercall_values.ts";
import { type AttackWorld, CALL_SCRATCH_BYTES, CONTEXT, TEXT, VCPUS } from "./hypercall_world.ts";
import type { Random } from "./softfloat_operands.ts";

const NMI_VECTOR = 2;
const KERNEL_CS = { lp64: 0xe033n, ilp32: 0xe019n } as const;

/** Not that of NMIs, which come: it would have to be a handler. */
function aVector(random: Random): number {
  return NMI_VECTOR + 1 + random.below(255 - NMI_VECTOR);
}

/** What each operation on a virtual CPU finds in its structure. */
function vcpuGiven(random: Random, world: AttackWorld, operation: number): Given {
  switch (operation) {
    case VCPUOP.register_vcpu_info:
      return words64(aFrame(random, world), 8n * number(random, 500));
    case VCPUOP.register_runstate_memory_area:
    case VCPUOP.register_vcpu_time_memory_area:
      return longs(place(random, TEXT));
    default:
      return words64(number(random, 4096) * 1_000_000n, number(random, 2));
  }
}

const vcpu: Rule = (random, world, scratch) => {
  const operation = anOperation(random, "vcpu_op");
  // The one that makes the calls stays up.
  const target = operation === VCPUOP.down ? 1n + number(random, 2) : number(random, VCPUS);
  const at = operation === VCPUOP.initialise && random.below(8) > 0
    ? BigInt(CONTEXT)
    : operation === VCPUOP.send_nmi && random.below(8) > 0
    ? 0n
    : place(random, scratch);
  const given = vcpuGiven(random, world, operation);
  return simple(["vcpu_op", operation, target, at], given, operation);
};

/** What is entered must be a handler; the others are only remembered. */
const callback: Rule = (random, world, scratch) => {
  const operation = anOperation(random, "callback_op");
  const type = random.below(9);
  const entered = type === CALLBACKTYPE.event || type === CALLBACKTYPE.nmi;
  const given = operation === CALLBACKOP.register
    ? structs(callback_register, {
      type,
      flags: random.below(2),
      cs: entered ? KERNEL_CS[world.model] : number(random, 0x1_0000),
      address: entered ? world.resume : anAddress(random),
    })
    : words64(BigInt(type));
  return simple(["callback_op", operation, place(random, scratch)], given, operation);
};

const callbacks: Rule = (random, world) => {
  const { model, resume } = world;
  const other = anAddress(random);
  const args = model === "lp64"
    ? [resume, other, other]
    : [KERNEL_CS.ilp32, resume, number(random, 0x1_0000), other];
  return simple(["set_callbacks", ...args]);
};

/** Waits have an end: a poll's is soon, and who blocks is woken. */
const sched: Rule = (random, world, scratch) => {
  const operation = anOperation(random, "sched_op", [SCHEDOP.shutdown]);
  const now = BigInt(world.guest.host.hypervisor.systemTimeNs());
  const polled = {
    ports: place(random, scratch + 96),
    nr_ports: number32(random, 4),
    timeout: 1n + now + number(random, 100) * 100n,
  };
  const given = operation === SCHEDOP.poll
    ? parts(CALL_SCRATCH_BYTES / 2, [0, structs(sched_poll, polled)], [96, portList(random)])
    // A watchdog that bites within a life would end it.
    : words64(number(random, 4) | BigInt(4000 + random.below(4000)) << 32n);
  // An end further away than this would be one of the test's patience.
  const at = operation === SCHEDOP.poll ? BigInt(scratch) : place(random, scratch);
  return simple(["sched_op", operation, at], given, operation);
};

function portList(random: Random): Given {
  return words64(
    ...Array.from({ length: 2 }, () => number(random, 24) | number(random, 24) << 32n),
  );
}

const device: Rule = (random, world, scratch) => {
  const operation = anOperation(random, "physdev_op");
  const given = words64(number(random, 5), number(random, 0x1_0000));
  if (random.below(3) > 0) {
    return simple(["physdev_op", operation, place(random, scratch)], given, operation);
  }
  const both = parts(
    CALL_SCRATCH_BYTES / 2,
    [0, words64(BigInt(operation))],
    [world.model === "lp64" ? 8 : 4, given],
  );
  return simple(["physdev_op_compat", place(random, scratch)], both, operation);
};

/** No breakpoint becomes a trap of the kernel that makes the calls: none is enabled. */
const debugRegister: Rule = (random) => {
  const which = random.below(9);
  const value = which === 5 || which === 7 ? number(random, 2) << 16n : number(random, 4096);
  const enabled = (which === 5 || which === 7) && (value & 0xffn) !== 0n;
  return simple(["set_debugreg", which, enabled ? 1n << 40n : value]);
};

/** Rules by how often they are taken. */
export const CPU_RULES: readonly (readonly [weight: number, rule: Rule])[] = [
  [3, vcpu],
  [1, callback],
  [1, callbacks],
  [1, sched],
  [1, (random) => {
    const operation = pick(random, [SCHEDOP.yield, SCHEDOP.block, 3 + random.below(8)]);
    return simple(["sched_op_compat", operation, 0], NOTHING, operation);
  }],
  [1, device],
  [1, debugRegister],
  [1, (random) => {
    const operation = anOperation(random, "xen_version");
    return simple(["xen_version", operation, place(random, TEXT)], NOTHING, operation);
  }],
  [1, (random, _, scratch) => {
    const operation = anOperation(random, "console_io");
    const call = ["console_io", operation, number(random, 16), place(random, scratch)] as const;
    return simple(call, longs(0x6f6c6c6568n), operation);
  }],
  [1, (random) => simple(["get_debugreg", random.below(9)])],
  [1, (random) => simple(["set_segment_base", random.below(4), number(random, 4)])],
  [1, (random) => simple(["fpu_taskswitch", random.below(2)])],
  [1, (random) => simple(["stack_switch", 0, anAddress(random)])],
  [1, (random) => {
    const operation = anOperation(random, "vm_assist");
    return simple(["vm_assist", operation, random.below(8)], NOTHING, operation);
  }],
  [1, (random, _, scratch) => {
    const entry = { vector: aVector(random), address: anAddress(random) };
    const at = random.below(8) === 0 ? 0 : place(random, scratch);
    return simple(["set_trap_table", at], structs(trap_info, entry, {}));
  }],
  [1, (random) => simple(["set_timer_op", number(random, 2)])],
];
