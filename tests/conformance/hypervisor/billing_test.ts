import { assert, assertEquals } from "@std/assert";
import type { CostName } from "../../../core/clock/profiles/cost_profile.ts";
import { Host } from "../../../testbed/host/host.ts";
import { AbiGuest, type Call, SCRATCH } from "./abi_guest.ts";

/** `XENVER_version`. */
const VERSION: Call = ["xen_version", 0, 0];
/** A page of the guest taken out of its tables, where nothing needs to be checked, and put back. */
const UNMAP: Call = ["update_va_mapping", SCRATCH, 0, 0];
const remap = (guest: AbiGuest): Call => {
  const present = 0x67n;
  return ["update_va_mapping", SCRATCH, BigInt(guest.frameAt(SCRATCH)) << 12n | present, 0];
};

/** Calls, and what they cost beyond the calls themselves. */
const BILLS: readonly [
  claim: string,
  calls: (guest: AbiGuest) => readonly Call[],
  extra: Partial<Record<CostName, number>>,
][] = [
  ["a question", () => [VERSION], {}],
  ["three questions", () => [VERSION, VERSION, VERSION], {}],
  ["a page unmapped and mapped", (guest) => [UNMAP, remap(guest)], { pageTableUpdate: 1 }],
  ["an event sent", () => [["event_channel_op", 4, SCRATCH + 0x1000]], { events: 1 }],
];

async function started(profile: string): Promise<{ host: Host; guest: AbiGuest }> {
  const host = await Host.boot({ memory: "32MiB", profile });
  return { host, guest: await AbiGuest.join(host) };
}

function counts(host: Host, guest: AbiGuest): Map<CostName, number> {
  return new Map(host.ledger.entries(guest.domain.id).map(({ cost, count }) => [cost, count]));
}

for (const [claim, calls, extra] of BILLS) {
  Deno.test(`a guest is billed for ${claim}`, async () => {
    const { host, guest } = await started("xeon-2003");
    const before = counts(host, guest);
    const list = calls(guest);
    await guest.calls(list);
    const after = counts(host, guest);
    const grew = (cost: CostName) => (after.get(cost) ?? 0) - (before.get(cost) ?? 0);
    // While it waits for the next list, the guest yields over and over.
    assert(grew("hypercall") >= list.length);
    for (const cost of ["pageTableUpdate", "events", "grantOperations", "trapBounce"] as const) {
      assertEquals(grew(cost), extra[cost] ?? 0, cost);
    }
  });
}

Deno.test("what a guest is billed for is time of its virtual CPU", async () => {
  const [free, priced] = [await started("free"), await started("xeon-2003")];
  const calls = new Array<Call>(60).fill(VERSION);
  const ran = [];
  for (const { host, guest } of [free, priced]) {
    const running = () => host.dispatcher.domainCycles(guest.domain.id);
    const [before, billed] = [running(), host.ledger.total(guest.domain.id)];
    await guest.calls(calls);
    ran.push({ cycles: running() - before, billed: host.ledger.total(guest.domain.id) - billed });
  }
  assertEquals(ran[0].billed, 0);
  // 816 cycles at 2.4 GHz are 340 ns, and this host's cycle is a nanosecond.
  assert(ran[1].billed >= 60 * 340 && ran[1].billed % 340 === 0, `${ran[1].billed}`);
  assert(ran[1].cycles >= ran[1].billed + 60 * 10, `${ran[1].cycles} for ${ran[1].billed}`);
});
