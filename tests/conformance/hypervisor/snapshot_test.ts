/** A host's snapshot, with guests in the middle of things. */

import { assertEquals, assertThrows } from "@std/assert";
import { SnapshotError } from "../../../core/lib/snapshot.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import { Host } from "../../../testbed/host/host.ts";
import { AbiGuest, type Call, SCRATCH } from "./abi_guest.ts";

/** Calls that leave something behind in most of the hypervisor's parts. */
async function stir(guest: AbiGuest): Promise<bigint[]> {
  const frame = BigInt(guest.frameAt(SCRATCH + 0x1000));
  guest.poke64(SCRATCH, 0n, 0n);
  guest.poke64(SCRATCH + 0x100, 0n, frame, 0n);
  guest.poke64(SCRATCH + 0x200, 0n, guest.labels.event);
  guest.poke64(SCRATCH + 0x300, 300_000n, 0n);
  const calls: readonly Call[] = [
    ["event_channel_op", 1, SCRATCH],
    ["update_va_mapping", SCRATCH + 0x1000, frame << 12n | 1n, 2],
    ["mmuext_op", SCRATCH + 0x100, 1, 0, 0x7ff0],
    ["callback_op", 0, SCRATCH + 0x200],
    ["set_segment_base", 0, 0x1234],
    ["vcpu_op", 8, 0, SCRATCH + 0x300],
  ];
  return await guest.calls(calls);
}

/** What can be told from outside about a host and a guest of it. */
function stateOf({ host }: AbiGuest) {
  const { clock, trace } = host.hardware;
  return { now: clock.now, hash: trace.hash, free: host.hypervisor.frames.freeFrames };
}

Deno.test("a host goes on from its snapshot as it did before, to the cycle and to the trace hash", async () => {
  const guest = await AbiGuest.start({ profile: "xeon-2003" });
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
});

Deno.test("a host that was booted alike takes the snapshot of another", async () => {
  const [one, two] = [await AbiGuest.start(), await AbiGuest.start()];
  await stir(one);
  two.host.restore(one.host.snapshot());
  assertEquals(stateOf(two), stateOf(one));
  assertEquals(await two.call("xen_version", 7), 4096);
  assertEquals(await one.call("xen_version", 7), 4096);
  assertEquals(stateOf(two), stateOf(one));
});

Deno.test("a snapshot of other domains is refused by name", async () => {
  const one = await AbiGuest.start();
  const two = await Host.boot({ memory: "32MiB" });
  assertThrows(() => two.restore(one.host.snapshot()), SnapshotError, "abi");
});

Deno.test("a guest that sleeps wakes on another host with its memory, its tables and its time of day", async () => {
  const guest = await AbiGuest.start();
  const table = SCRATCH + 0x1000;
  const frame = BigInt(guest.frameAt(table));
  guest.poke64(SCRATCH + 0x2000, 0x1234_5678_9abcn);
  guest.poke64(table + 8, BigInt(guest.frameAt(SCRATCH + 0x3000)) << 12n | 1n);
  guest.poke64(SCRATCH, 0n, frame, 0n);
  assertEquals(await guest.call("update_va_mapping", table, frame << 12n | 1n, 2), 0);
  assertEquals(await guest.call("mmuext_op", SCRATCH, 1, 0, 0x7ff0), 0);
  assertEquals(await guest.call("set_segment_base", 0, 0x5678), 0);
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
  assertEquals(await woken.run("mov ecx, 0xc0000100\nrdmsr\nret"), 0x5678n);
  // The table is pinned still.
  woken.poke64(SCRATCH, 4n, BigInt(woken.frameAt(table)), 0n);
  assertEquals(await woken.call("mmuext_op", SCRATCH, 1, 0, 0x7ff0), 0);
  guest.host.destroy(guest.domain);
  assertEquals(auditFrames(guest.host.hypervisor), []);
});
