/** A host's snapshot, with guests in the middle of things. */

import { assertEquals, assertThrows } from "@std/assert";
import { SnapshotError } from "../../../core/lib/snapshot.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import { Host } from "../../../testbed/host/host.ts";
import type { DataModel } from "../../../core/abi/struct_layout.ts";
import { callback_register } from "../../../core/abi/operations.ts";
import { MMUEXT, mmuext_op } from "../../../core/abi/xen.ts";
import { AbiGuest, type Call, DATA_MODELS, SCRATCH, structs } from "./abi_guest.ts";

/** Calls that leave something behind in most of the hypervisor's parts. */
async function stir(guest: AbiGuest): Promise<bigint[]> {
  const frame = BigInt(guest.frameAt(SCRATCH + 0x1000));
  guest.poke64(SCRATCH, 0n, 0n);
  const pin = structs(mmuext_op, { cmd: MMUEXT.PIN_L1_TABLE, mfn: frame });
  const callback = structs(callback_register, { cs: 0xe019n, address: guest.labels.event });
  guest.poke(SCRATCH + 0x100, pin(guest.model));
  guest.poke(SCRATCH + 0x200, callback(guest.model));
  guest.poke64(SCRATCH + 0x300, 300_000n, 0n);
  const calls: readonly Call[] = [
    ["event_channel_op", 1, SCRATCH],
    ["update_va_mapping", SCRATCH + 0x1000, frame << 12n | 1n, 2],
    ["mmuext_op", SCRATCH + 0x100, 1, 0, 0x7ff0],
    ["callback_op", 0, SCRATCH + 0x200],
    ["set_debugreg", 0, 0x1234],
    ["vcpu_op", 8, 0, SCRATCH + 0x300],
  ];
  return await guest.calls(calls);
}

/** A test that is held for guests of either data model. */
function forEither(claim: string, check: (model: DataModel) => Promise<void>): void {
  for (const model of DATA_MODELS) {
    Deno.test(`${claim} (${model === "lp64" ? 64 : 32} bits)`, async () => await check(model));
  }
}

/** What can be told from outside about a host and a guest of it. */
function stateOf({ host }: AbiGuest) {
  const { clock, trace } = host.hardware;
  return { now: clock.now, hash: trace.hash, free: host.hypervisor.frames.freeFrames };
}

forEither(
  "a host goes on from its snapshot as it did before, to the cycle and to the trace hash",
  async (model) => {
    const guest = await AbiGuest.start({ model, profile: "xeon-2003" });
    await AbiGuest.join(guest.host);
    assertEquals(await stir(guest), [0n, 0n, 0n, 0n, 0n, 0n]);
    const saved = guest.host.snapshot();
    const after = async () => {
      const found = [
        await guest.call("xen_version", 0),
        await guest.call("update_va_mapping", SCRATCH + 0x1000, 0, 2),
        await guest.call("sched_op", 1),
        guest.eventsTaken,
      ];
      return { found, ...stateOf(guest) };
    };
    const first = await after();
    assertEquals(first.found, [0x4_0011, 0, 0, 1]);
    guest.host.restore(saved);
    assertEquals(auditFrames(guest.host.hypervisor), []);
    assertEquals(await after(), first);
  },
);

Deno.test("a host that was booted alike takes the snapshot of another", async () => {
  const [one, two] = [await AbiGuest.start(), await AbiGuest.start()];
  await stir(one);
  two.host.restore(one.host.snapshot());
  assertEquals(stateOf(two), stateOf(one));
  assertEquals(await two.call("xen_version", 7), 4096);
  assertEquals(await one.call("xen_version", 7), 4096);
  assertEquals(stateOf(two), stateOf(one));
});

Deno.test("a host without domains is given those of a snapshot", async () => {
  const one = await AbiGuest.start();
  await stir(one);
  const host = await Host.boot(one.host.options);
  host.restore(one.host.snapshot());
  const two = AbiGuest.on(host);
  assertEquals(stateOf(two), stateOf(one));
  assertEquals(await two.call("xen_version", 7), await one.call("xen_version", 7));
  assertEquals(stateOf(two), stateOf(one));
});

Deno.test("a snapshot of another machine is refused, and nothing has changed", async () => {
  const one = await AbiGuest.start();
  const snapshot = one.host.snapshot();
  const others = [
    [{ memory: "64MiB" }, "bytes of RAM; this one has 67108864"],
    [{ memory: "32MiB", cpus: 2 }, "the snapshot is of a host with 1 CPUs; this one has 2"],
  ] as const;
  for (const [options, why] of others) {
    const host = await Host.boot(options);
    assertThrows(() => host.restore(snapshot), SnapshotError, why);
    assertEquals(host.domains, []);
  }
});

forEither(
  "a guest that sleeps wakes on another host with its memory, its tables and its registers",
  async (model) => {
    const guest = await AbiGuest.start({ model });
    const table = SCRATCH + 0x1000;
    const frame = BigInt(guest.frameAt(table));
    guest.poke64(SCRATCH + 0x2000, 0x1234_5678_9abcn);
    guest.poke64(table + 8, BigInt(guest.frameAt(SCRATCH + 0x3000)) << 12n | 1n);
    guest.poke(SCRATCH, structs(mmuext_op, { cmd: MMUEXT.PIN_L1_TABLE, mfn: frame })(model));
    assertEquals(await guest.call("update_va_mapping", table, frame << 12n | 1n, 2), 0);
    assertEquals(await guest.call("mmuext_op", SCRATCH, 1, 0, 0x7ff0), 0);
    assertEquals(await guest.call("set_debugreg", 1, 0x5678), 0);
    const record = await guest.suspend();
    assertEquals(guest.domain.domain.shutdown, "suspend");

    const elsewhere = await Host.boot({ memory: "64MiB" });
    // Frames of the new host have other numbers.
    await AbiGuest.join(elsewhere);
    const woken = await AbiGuest.wake(elsewhere, record);
    assertEquals(auditFrames(elsewhere.hypervisor), []);
    assertEquals(woken.peek64(SCRATCH + 0x2000), 0x1234_5678_9abcn);
    assertEquals(
      woken.peek64(table + 8) >> 12n & 0xff_ffff_ffffn,
      BigInt(woken.frameAt(SCRATCH + 0x3000)),
    );
    assertEquals(await woken.call("get_debugreg", 1), 0x5678);
    // The table is pinned still.
    const unpin = { cmd: MMUEXT.UNPIN_TABLE, mfn: BigInt(woken.frameAt(table)) };
    woken.poke(SCRATCH, structs(mmuext_op, unpin)(model));
    assertEquals(await woken.call("mmuext_op", SCRATCH, 1, 0, 0x7ff0), 0);
    guest.host.destroy(guest.domain);
    assertEquals(auditFrames(guest.host.hypervisor), []);
  },
);
