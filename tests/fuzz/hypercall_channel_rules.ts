/** Rules of the grammar: event channels and grants. */

import { EVTCHN_STRUCTS, EVTCHNOP } from "../../core/abi/event_channel.ts";
import { GNTCOPY, GNTMAP, GNTTAB_STRUCTS, type GNTTABOP } from "../../core/abi/grant_table.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import { type Given, structs, words64 } from "../conformance/hypervisor/abi_guest.ts";
import { operationName, OPERATIONS } from "./hypercall_operations.ts";
import {
  aDomain,
  aFrame,
  anAddress,
  anOperation,
  number,
  number32,
  parts,
  pick,
  place,
  type Rule,
  SELF,
  simple,
} from "./hypercall_values.ts";
import { type AttackWorld, CALL_SCRATCH_BYTES, REFERENCES, VCPUS } from "./hypercall_world.ts";
import type { Random } from "./softfloat_operands.ts";

const PORTS = 24;
/** One operation in so many is a reset, which closes everything that the others work on. */
const RESET_EVERY = 60;

type EventMaker = (random: Random, world: AttackWorld) => Given;

const aPort = (random: Random) => number32(random, PORTS);
const aVcpu = (random: Random) => number32(random, VCPUS);
const onPort: EventMaker = (random) => words64(BigInt(aPort(random)));

/** What each operation finds in its structure. */
const EVENT_GIVEN: Readonly<Record<keyof typeof EVTCHNOP, EventMaker>> = {
  bind_interdomain: (random, world) =>
    structs(EVTCHN_STRUCTS.bind_interdomain, {
      remote_dom: aDomain(random, world),
      remote_port: random.below(3) === 0 ? aPort(random) : pick(random, world.offeredPorts),
    }),
  bind_virq: (random) =>
    structs(EVTCHN_STRUCTS.bind_virq, { virq: number32(random, 24), vcpu: aVcpu(random) }),
  bind_pirq: onPort,
  close: onPort,
  send: onPort,
  status: (random) => structs(EVTCHN_STRUCTS.status, { dom: SELF, port: aPort(random) }),
  alloc_unbound: (random, world) =>
    structs(EVTCHN_STRUCTS.alloc_unbound, {
      dom: random.below(6) === 0 ? aDomain(random, world) : SELF,
      remote_dom: aDomain(random, world),
    }),
  bind_ipi: (random) => structs(EVTCHN_STRUCTS.bind_ipi, { vcpu: aVcpu(random) }),
  bind_vcpu: (random) =>
    structs(EVTCHN_STRUCTS.bind_vcpu, { port: aPort(random), vcpu: aVcpu(random) }),
  unmask: onPort,
  reset: (random, world) => words64(BigInt(random.below(8) === 0 ? aDomain(random, world) : SELF)),
  init_control: (random, world) =>
    structs(EVTCHN_STRUCTS.init_control, {
      control_gfn: aFrame(random, world),
      offset: 8 * number32(random, 500),
      vcpu: aVcpu(random),
    }),
  expand_array: (random, world) => words64(aFrame(random, world)),
  set_priority: (random) =>
    structs(EVTCHN_STRUCTS.set_priority, { port: aPort(random), priority: number32(random, 16) }),
};

const EVENT_NAMES: ReadonlyMap<number, keyof typeof EVTCHNOP> = new Map(
  (Object.entries(EVTCHNOP) as [keyof typeof EVTCHNOP, number][]).map(([name, n]) => [n, name]),
);

/** A sub-operation and its structure; the old form has both behind each other. */
function event(hypercall: "event_channel_op" | "event_channel_op_compat"): Rule {
  return (random, world, scratch) => {
    const resets = random.below(RESET_EVERY) === 0;
    const command = resets && hypercall === "event_channel_op"
      ? EVTCHNOP.reset
      : anOperation(random, hypercall, [EVTCHNOP.reset]);
    const name = EVENT_NAMES.get(command);
    const given = name === undefined ? onPort(random, world) : EVENT_GIVEN[name](random, world);
    const at = place(random, scratch);
    if (hypercall === "event_channel_op") return simple([hypercall, command, at], given, command);
    const number = words64(BigInt(command));
    const both = parts(CALL_SCRATCH_BYTES / 2, [0, number], [4, given]);
    return simple([hypercall, at], both, command);
  };
}

type GrantName = keyof typeof GNTTABOP;
type GrantMaker = (random: Random, world: AttackWorld, scratch: number) => Given;

const aReference = (random: Random) => number32(random, REFERENCES.transfers);
const aGrantAddress = (random: Random, world: AttackWorld, flags: number) =>
  (flags & GNTMAP.contains_pte) === 0
    ? anAddress(random)
    : aFrame(random, world) << 12n | BigInt(8 * random.below(512));

/** A mapping that was made lately, with its address; or any. */
function aMapping(random: Random, { maps }: AttackWorld) {
  const known = maps.at(-1 - random.below(8));
  if (known === undefined || random.below(8) === 0) {
    return { handle: number32(random, 16), host_addr: anAddress(random) };
  }
  return { handle: known.handle, host_addr: known.address };
}

/** One end of a copy: a grant or a frame of the caller's. */
function anEnd(random: Random, world: AttackWorld, isGrant: boolean) {
  return {
    u: isGrant ? aReference(random) : Number(aFrame(random, world) & 0xffff_ffffn),
    domid: isGrant || random.below(8) === 0 ? aDomain(random, world) : SELF,
    offset: number32(random, 4096) & 0xffff,
  };
}

const MAP_FLAGS = [GNTMAP.host_map, GNTMAP.device_map, GNTMAP.host_map | GNTMAP.device_map];

const GRANT_GIVEN: Readonly<Partial<Record<GrantName, GrantMaker>>> = {
  map_grant_ref: (random, world) => {
    const also = [0, 0, GNTMAP.readonly, GNTMAP.contains_pte, GNTMAP.application_map];
    const flags = pick(random, MAP_FLAGS) | pick(random, also);
    return structs(GNTTAB_STRUCTS.map_grant_ref, {
      host_addr: aGrantAddress(random, world, flags),
      flags,
      ref: aReference(random),
      dom: aDomain(random, world),
    });
  },
  unmap_grant_ref: (random, world) =>
    structs(GNTTAB_STRUCTS.unmap_grant_ref, aMapping(random, world)),
  unmap_and_replace: (random, world) =>
    structs(GNTTAB_STRUCTS.unmap_and_replace, {
      ...aMapping(random, world),
      new_addr: anAddress(random),
    }),
  setup_table: (random, world, scratch) =>
    structs(GNTTAB_STRUCTS.setup_table, {
      dom: random.below(8) === 0 ? aDomain(random, world) : SELF,
      nr_frames: number32(random, 3),
      frame_list: place(random, scratch + 96),
    }),
  transfer: (random, world) =>
    structs(GNTTAB_STRUCTS.transfer, {
      mfn: Number(aFrame(random, world) & 0xffff_ffffn),
      domid: aDomain(random, world),
      ref: REFERENCES.transfers + random.below(REFERENCES.end - REFERENCES.transfers),
    }),
  copy: (random, world) => {
    const flags = 1 + random.below(3);
    return structs(GNTTAB_STRUCTS.copy, {
      source: anEnd(random, world, (flags & GNTCOPY.source_gref) !== 0),
      dest: anEnd(random, world, (flags & GNTCOPY.dest_gref) !== 0),
      len: random.below(64),
      flags,
    });
  },
  query_size: (random) => structs(GNTTAB_STRUCTS.query_size, { dom: random.below(8) ? SELF : 1 }),
  set_version: (random) => structs(GNTTAB_STRUCTS.set_version, { version: random.below(4) }),
  get_version: (random) => structs(GNTTAB_STRUCTS.get_version, { dom: random.below(8) ? SELF : 1 }),
  get_status_frames: () => structs(GNTTAB_STRUCTS.get_status_frames, { dom: SELF }),
  swap_grant_ref: (random) =>
    structs(GNTTAB_STRUCTS.swap_grant_ref, {
      ref_a: aReference(random),
      ref_b: aReference(random),
    }),
};

const GRANT_NAMES: ReadonlyMap<number, GrantName> = new Map(
  (Object.entries(OPERATIONS.grant_table_op!) as [GrantName, number][]).map((
    [name, n],
  ) => [n, name]),
);

/** Operations whose structures report a status. */
const REPORTING = [
  "map_grant_ref",
  "unmap_grant_ref",
  "unmap_and_replace",
  "setup_table",
  "transfer",
  "copy",
  "query_size",
  "get_status_frames",
  "swap_grant_ref",
] as const satisfies readonly GrantName[];

/** What a structure reports; 0 if it has no status: the call's result is all there is. */
function statusOf(name: GrantName, memory: Uint8Array, model: DataModel): number {
  const reporting = REPORTING.find((each) => each === name);
  return reporting ? GNTTAB_STRUCTS[reporting].read(memory, 0, model).status : 0;
}

/** One structure, seldom none or what lies behind it, too. */
const grant: Rule = (random, world, scratch) => {
  const command = anOperation(random, "grant_table_op");
  const name = GRANT_NAMES.get(command) ?? "dump_table";
  const given = (GRANT_GIVEN[name] ?? (() => words64(BigInt(SELF))))(random, world, scratch);
  const count = random.below(12) === 0 ? number(random, 3) : 1n;
  const made = simple(["grant_table_op", command, place(random, scratch), count], given, command);
  return {
    ...made,
    succeeded(result, memory) {
      if (result < 0n || count === 0n || statusOf(name, memory, world.model) !== 0) return [];
      if (name === "map_grant_ref") {
        const { handle, host_addr } = GNTTAB_STRUCTS.map_grant_ref.read(memory, 0, world.model);
        world.maps.push({ handle, address: host_addr });
      }
      return [operationName("grant_table_op", command)];
    },
  };
};

/** Rules by how often they are taken. */
export const CHANNEL_RULES: readonly (readonly [weight: number, rule: Rule])[] = [
  [4, event("event_channel_op")],
  [1, event("event_channel_op_compat")],
  [5, grant],
];
