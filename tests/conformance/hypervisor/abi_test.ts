import { assertEquals } from "@std/assert";
import { ERRNO, errnoName } from "../../../core/abi/errno.ts";
import { FrameType } from "../../../core/hypervisor/memory/frame_table.ts";
import { AbiGuest, SCRATCH } from "./abi_guest.ts";

/** A page of specification: who calls what, and what the public headers say comes back. */
interface Row {
  readonly call: Parameters<AbiGuest["call"]>;
  readonly result: number;
  /** Put into the guest's memory at SCRATCH before. */
  readonly given?: readonly bigint[];
}

/** No page is mapped here. */
const NOWHERE = 0x7000_0000;
/** An address of the hypervisor that guests may not read. */
const XEN_AREA = 0xffff_8200_0000_0000n;

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  "xen_version": [
    { call: ["xen_version", 0], result: 4 << 16 | 17 },
    { call: ["xen_version", 1, SCRATCH], result: 0 },
    { call: ["xen_version", 1, NOWHERE], result: ERRNO.EFAULT },
    { call: ["xen_version", 3, XEN_AREA], result: ERRNO.EFAULT },
    { call: ["xen_version", 6, SCRATCH], given: [0n], result: 0 },
    { call: ["xen_version", 6, SCRATCH], given: [1n], result: ERRNO.EINVAL },
    { call: ["xen_version", 7], result: 4096 },
    { call: ["xen_version", 10], result: ERRNO.ENODATA },
    { call: ["xen_version", 99], result: ERRNO.ENOSYS },
  ],
  "set_trap_table": [
    { call: ["set_trap_table", NOWHERE], result: ERRNO.EFAULT },
    { call: ["set_trap_table", SCRATCH], given: [0x0033_0003n, 0x4000_1000n, 0n, 0n], result: 0 },
    {
      call: ["set_trap_table", SCRATCH],
      given: [0x0033_0003n, 0x8000_0000_0000_0000n, 0n, 0n],
      result: ERRNO.EINVAL,
    },
    { call: ["set_trap_table", 0], result: 0 },
  ],
  "set_gdt": [
    { call: ["set_gdt", NOWHERE, 16], result: ERRNO.EFAULT },
    { call: ["set_gdt", SCRATCH, 14 * 512 + 1], result: ERRNO.EINVAL },
    { call: ["set_gdt", SCRATCH, 16], given: [0xffff_ffffn], result: ERRNO.EINVAL },
    { call: ["set_gdt", SCRATCH, 0], result: 0 },
  ],
  "set_segment_base": [
    { call: ["set_segment_base", 0, 0x1000], result: 0 },
    { call: ["set_segment_base", 2, 0x8000_0000_0000n], result: ERRNO.EINVAL },
    { call: ["set_segment_base", 3, 0], result: 0 },
    { call: ["set_segment_base", 4, 0], result: ERRNO.EINVAL },
  ],
  "set_debugreg and get_debugreg": [
    { call: ["set_debugreg", 0, 0x1234], result: 0 },
    { call: ["get_debugreg", 0], result: 0x1234 },
    { call: ["set_debugreg", 8, 0], result: ERRNO.ENODEV },
    { call: ["get_debugreg", 8], result: ERRNO.ENODEV },
    { call: ["set_debugreg", 1, 0x8000_0000_0000n], result: ERRNO.EPERM },
    { call: ["get_debugreg", 7], result: 0x400 },
  ],
  "vm_assist": [
    { call: ["vm_assist", 0, 2], result: 0 },
    { call: ["vm_assist", 1, 2], result: 0 },
    { call: ["vm_assist", 0, 6], result: ERRNO.EINVAL },
    { call: ["vm_assist", 9, 2], result: ERRNO.ENOSYS },
  ],
  "mmu_update": [
    { call: ["mmu_update", SCRATCH, 0, 0, 0x7ff0], result: 0 },
    { call: ["mmu_update", NOWHERE, 1, 0, 0x7ff0], result: ERRNO.EFAULT },
    { call: ["mmu_update", SCRATCH, 1, 0, 0x7ff0], given: [0xfff_fff8n, 0n], result: ERRNO.EINVAL },
    { call: ["mmu_update", SCRATCH, 1, 0, 77], given: [0n, 0n], result: ERRNO.ESRCH },
  ],
  "update_va_mapping": [
    { call: ["update_va_mapping", NOWHERE, 0, 0], result: ERRNO.EINVAL },
    { call: ["update_va_mapping", XEN_AREA, 0, 0], result: ERRNO.EINVAL },
    { call: ["update_va_mapping", SCRATCH + 0x7000, 0, 2], result: 0 },
  ],
  "mmuext_op": [
    { call: ["mmuext_op", SCRATCH, 1, 0, 0x7ff0], given: [6n, 0n, 0n], result: 0 },
    { call: ["mmuext_op", SCRATCH, 1, 0, 0x7ff0], given: [99n, 0n, 0n], result: ERRNO.ENOSYS },
    { call: ["mmuext_op", SCRATCH, 1, 0, 0x7ff0], given: [12n, 0n, 0n], result: ERRNO.EACCES },
    {
      call: ["mmuext_op", SCRATCH, 1, 0, 0x7ff0],
      given: [4n, 0xffff_ffffn, 0n],
      result: ERRNO.EINVAL,
    },
    { call: ["mmuext_op", SCRATCH, 1, 0, 0x7ff0], given: [13n, 0n, 0n], result: 0 },
    {
      call: ["mmuext_op", SCRATCH, 1, 0, 0x7ff0],
      given: [13n, 0x4000_8001n, 8n],
      result: ERRNO.EINVAL,
    },
  ],
  "memory_op": [
    { call: ["memory_op", 2, 0], result: 8192 },
    { call: ["memory_op", 3, SCRATCH], given: [0x7ff0n], result: 2048 },
    { call: ["memory_op", 4, SCRATCH], given: [0x7ff0n], result: 2048 },
    { call: ["memory_op", 4, SCRATCH], given: [77n], result: ERRNO.ESRCH },
    { call: ["memory_op", 12, SCRATCH], result: 0 },
    { call: ["memory_op", 12, NOWHERE], result: ERRNO.EFAULT },
    { call: ["memory_op", 10, SCRATCH], result: ERRNO.EPERM },
    { call: ["memory_op", 63, SCRATCH], result: ERRNO.ENOSYS },
    // The domain is at its limit: no extent is populated.
    {
      call: ["memory_op", 6, SCRATCH],
      given: [BigInt(SCRATCH + 0x100), 1n, 0n, 0x7ff0n],
      result: 0,
    },
  ],
  "vcpu_op": [
    { call: ["vcpu_op", 3, 0, 0], result: 1 },
    { call: ["vcpu_op", 3, 1, 0], result: ERRNO.ENOENT },
    { call: ["vcpu_op", 4, 0, SCRATCH], result: 0 },
    { call: ["vcpu_op", 4, 0, NOWHERE], result: ERRNO.EFAULT },
    { call: ["vcpu_op", 0, 0, SCRATCH], result: ERRNO.EEXIST },
    { call: ["vcpu_op", 6, 0, SCRATCH], given: [999n], result: ERRNO.EINVAL },
    { call: ["vcpu_op", 8, 0, SCRATCH], given: [0n, 1n], result: ERRNO.ETIME },
    { call: ["vcpu_op", 9, 0, 0], result: 0 },
    { call: ["vcpu_op", 10, 0, SCRATCH], given: [0n, 4093n], result: ERRNO.EINVAL },
    { call: ["vcpu_op", 99, 0, 0], result: ERRNO.ENOSYS },
  ],
  "sched_op": [
    { call: ["sched_op", 0, 0], result: 0 },
    { call: ["sched_op", 3, NOWHERE], result: ERRNO.EFAULT },
    { call: ["sched_op", 4, 0], result: ERRNO.EPERM },
    { call: ["sched_op", 99, 0], result: ERRNO.ENOSYS },
  ],
  "event_channel_op": [
    { call: ["event_channel_op", 4, SCRATCH], given: [99n], result: ERRNO.EINVAL },
    { call: ["event_channel_op", 1, SCRATCH], given: [0n, 0n], result: 0 },
    { call: ["event_channel_op", 1, SCRATCH], given: [0n, 0n], result: ERRNO.EEXIST },
    { call: ["event_channel_op", 7, SCRATCH], given: [5n], result: ERRNO.ENOENT },
    { call: ["event_channel_op", 2, SCRATCH], given: [0n], result: ERRNO.EPERM },
    { call: ["event_channel_op", 99, SCRATCH], result: ERRNO.ENOSYS },
  ],
  "grant_table_op": [
    { call: ["grant_table_op", 6, SCRATCH, 1], given: [0x7ff0n], result: 0 },
    { call: ["grant_table_op", 6, NOWHERE, 1], result: ERRNO.EFAULT },
    { call: ["grant_table_op", 8, SCRATCH, 1], given: [2n], result: ERRNO.ENOSYS },
    { call: ["grant_table_op", 99, SCRATCH, 1], result: ERRNO.ENOSYS },
  ],
  "callback_op": [
    { call: ["callback_op", 0, SCRATCH], given: [0n, 0x4000_1000n], result: 0 },
    { call: ["callback_op", 0, SCRATCH], given: [6n, 0n], result: ERRNO.ENOSYS },
    { call: ["callback_op", 1, SCRATCH], given: [0n], result: ERRNO.EINVAL },
    { call: ["callback_op", 1, SCRATCH], given: [4n], result: 0 },
    { call: ["callback_op", 2, SCRATCH], result: ERRNO.ENOSYS },
  ],
  "what a domain without privilege may not do": [
    { call: ["domctl", SCRATCH], result: ERRNO.EPERM },
    { call: ["sysctl", SCRATCH], result: ERRNO.EPERM },
    { call: ["platform_op", SCRATCH], result: ERRNO.EPERM },
    { call: ["physdev_op", 12, SCRATCH], result: ERRNO.EPERM },
    { call: ["physdev_op", 6, SCRATCH], given: [1n], result: 0 },
    { call: ["physdev_op", 6, SCRATCH], given: [4n], result: ERRNO.EINVAL },
    { call: ["hvm_op", 0, SCRATCH], result: ERRNO.ENOSYS },
    { call: ["xenpmu_op", 0, SCRATCH], result: ERRNO.ENOSYS },
  ],
};

for (const [name, rows] of Object.entries(ROWS)) {
  Deno.test(`${name} answers as the public headers say`, async () => {
    const guest = await AbiGuest.start();
    const found: string[] = [];
    for (const { call, given } of rows) {
      guest.poke64(SCRATCH, ...given ?? []);
      found.push(describe(await guest.call(...call)));
    }
    assertEquals(found, rows.map(({ result }) => describe(result)));
  });
}

function describe(result: number): string {
  return result < 0 ? errnoName(result) : String(result);
}

Deno.test("a multicall makes its calls in order, and each entry gets its result", async () => {
  const guest = await AbiGuest.start();
  const entry = (number: bigint, first: bigint) => [number, 0n, first, 0n, 0n, 0n, 0n, 0n];
  guest.poke64(SCRATCH, ...entry(17n, 0n), ...entry(13n, 0n), ...entry(17n, 99n));
  assertEquals(await guest.call("multicall", SCRATCH, 3), 0);
  const results = [8, 72, 136].map((at) => BigInt.asIntN(64, guest.peek64(SCRATCH + at)));
  assertEquals(results, [0x4_0011n, BigInt(ERRNO.EINVAL), BigInt(ERRNO.ENOSYS)]);
  assertEquals(await guest.call("multicall", 0x7000_0000, 1), ERRNO.EFAULT);
});

Deno.test("a batch counts what it did, and the machine-to-physical table keeps the last note", async () => {
  const guest = await AbiGuest.start();
  const frame = BigInt(guest.frameAt(SCRATCH));
  const updates = 200;
  for (let i = 0; i < updates; i++) guest.poke64(SCRATCH + 16 * i, frame << 12n | 1n, BigInt(i));
  assertEquals(await guest.call("mmu_update", SCRATCH, updates, SCRATCH + 0xff8, 0x7ff0), 0);
  assertEquals(Number(guest.peek64(SCRATCH + 0xff8)), updates);
  assertEquals(guest.host.hypervisor.map.pfnOf(Number(frame)), updates - 1);
});

Deno.test("a page becomes a table only after its last writable mapping went, and is memory again after it", async () => {
  const guest = await AbiGuest.start();
  const page = SCRATCH + 0x1000;
  const frame = BigInt(guest.frameAt(page));
  const pin = [0n, frame, 0n] as const;
  const unpin = [4n, frame, 0n] as const;
  const operation = async (words: readonly bigint[]) => {
    guest.poke64(SCRATCH, ...words);
    return await guest.call("mmuext_op", SCRATCH, 1, 0, 0x7ff0);
  };
  const map = (flags: bigint) => guest.call("update_va_mapping", page, frame << 12n | flags, 2);
  const { frames } = guest.host.hypervisor;
  assertEquals(await operation(pin), ERRNO.EBUSY);
  assertEquals(await map(1n), 0);
  assertEquals(await operation(pin), 0);
  assertEquals(await operation(pin), ERRNO.EINVAL);
  assertEquals(frames.type[Number(frame)], FrameType.l1);
  assertEquals(await map(3n), ERRNO.EBUSY);
  assertEquals(await operation(unpin), 0);
  assertEquals(await map(3n), 0);
  assertEquals(frames.type[Number(frame)], FrameType.writable);
});

Deno.test("frames that are given back are free, and come back as zeros", async () => {
  const guest = await AbiGuest.start();
  const page = SCRATCH + 0x2000;
  const frame = guest.frameAt(page);
  guest.poke64(page, 0x1234n);
  const { frames } = guest.host.hypervisor;
  const free = frames.freeFrames;
  const reservation = [BigInt(SCRATCH + 0x100), 1n, 0n, 0x7ff0n] as const;
  guest.poke64(SCRATCH, ...reservation);
  guest.poke64(SCRATCH + 0x100, BigInt(frame));
  // Still mapped: the frame stays until the mapping goes.
  assertEquals(await guest.call("memory_op", 1, SCRATCH), 1);
  assertEquals(frames.freeFrames, free);
  assertEquals(await guest.call("update_va_mapping", page, 0, 2), 0);
  assertEquals(frames.freeFrames, free + 1);
  guest.poke64(SCRATCH + 0x100, 513n);
  assertEquals(await guest.call("memory_op", 6, SCRATCH), 1);
  const populated = guest.peek64(SCRATCH + 0x100);
  assertEquals(await guest.call("update_va_mapping", page, populated << 12n | 3n, 2), 0);
  assertEquals(guest.host.hypervisor.map.pfnOf(Number(populated)), 513);
  const bytes = new Uint8Array(8);
  guest.host.hypervisor.memory.readBytes(Number(populated) as typeof frame, 0, bytes);
  assertEquals([...bytes], [0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("a one-shot timer enters the kernel through the event callback", async () => {
  const guest = await AbiGuest.start();
  guest.poke64(SCRATCH, 0n, guest.labels.event);
  assertEquals(await guest.call("callback_op", 0, SCRATCH), 0);
  guest.poke64(SCRATCH, 0n, 0n);
  assertEquals(await guest.call("event_channel_op", 1, SCRATCH), 0);
  guest.poke64(SCRATCH, BigInt(guest.host.hypervisor.systemTimeNs() + 1_000_000), 1n);
  const before = guest.eventsTaken;
  const [armed] = await guest.calls([["vcpu_op", 8, 0, SCRATCH]]);
  assertEquals(armed, 0n);
  // Events are let in by SCHEDOP_block, which ends when the timer does.
  await guest.call("sched_op", 1);
  assertEquals(guest.eventsTaken, before + 1);
});

Deno.test("destroying a domain gives every frame back", async () => {
  const guest = await AbiGuest.start();
  const { hypervisor } = guest.host;
  const { domain } = guest.domain;
  const owned = domain.pages;
  const free = hypervisor.frames.freeFrames;
  hypervisor.destroyDomain(domain);
  // Its memory, and besides: shared page, area tables, grant table.
  assertEquals(hypervisor.frames.freeFrames >= free + owned + 4, true);
  assertEquals([...hypervisor.frames.framesOf(domain.id)], []);
});
