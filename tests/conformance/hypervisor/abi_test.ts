import { assertEquals } from "@std/assert";
import {
  CPU_USER_REGS_32,
  CPU_USER_REGS_64,
  trap_info,
  VCPU_GUEST_CONTEXT,
} from "../../../core/abi/arch_x86.ts";
import { ERRNO, errnoName } from "../../../core/abi/errno.ts";
import {
  callback_register,
  vcpu_register_vcpu_info,
  vcpu_set_singleshot_timer,
  xen_machphys_mapping,
  xen_memory_reservation,
} from "../../../core/abi/operations.ts";
import type { DataModel } from "../../../core/abi/struct_layout.ts";
import { MMUEXT, mmuext_op, multicall_entry } from "../../../core/abi/xen.ts";
import { HYPERCALL } from "../../../core/abi/hypercalls.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { FrameType } from "../../../core/hypervisor/memory/frame_table.ts";
import {
  AbiGuest,
  DATA_MODELS,
  type Given,
  KERNEL_STACK,
  longs,
  SCRATCH,
  SNIPPETS,
  structs,
  words64,
} from "./abi_guest.ts";

/** A page of specification: who calls what, and what the public headers say comes back. */
interface Row {
  readonly call: Parameters<AbiGuest["call"]>;
  readonly result: number;
  /** Put into the guest's memory at SCRATCH before. */
  readonly given?: Given;
  /** Holds for guests of this data model alone. */
  readonly only?: DataModel;
}

/** No page is mapped here. */
const NOWHERE = 0x7000_0000;
const SELF = 0x7ff0;
/** An address of the hypervisor that hypercalls may not name. */
const XEN_AREAS: Readonly<Record<DataModel, bigint>> = {
  lp64: 0xffff_8200_0000_0000n,
  ilp32: 0xf580_0000n,
};

/** One `mmuext_op`. */
const extended = (cmd: number, mfn = 0n, nr_ents = 0n) => structs(mmuext_op, { cmd, mfn, nr_ents });
const callback = (type: number, address: bigint) =>
  structs(callback_register, { type, cs: 0xe019n, address });

const rowsWith = (XEN_AREA: bigint): Readonly<Record<string, readonly Row[]>> => ({
  "xen_version": [
    { call: ["xen_version", 0], result: 4 << 16 | 17 },
    { call: ["xen_version", 1, SCRATCH], result: 0 },
    { call: ["xen_version", 1, NOWHERE], result: ERRNO.EFAULT },
    { call: ["xen_version", 3, XEN_AREA], result: ERRNO.EFAULT },
    { call: ["xen_version", 6, SCRATCH], given: words64(0n), result: 0 },
    { call: ["xen_version", 6, SCRATCH], given: words64(1n), result: ERRNO.EINVAL },
    { call: ["xen_version", 7], result: 4096 },
    { call: ["xen_version", 10], result: ERRNO.ENODATA },
    { call: ["xen_version", 99], result: ERRNO.ENOSYS },
  ],
  "set_trap_table": [
    { call: ["set_trap_table", NOWHERE], result: ERRNO.EFAULT },
    {
      call: ["set_trap_table", SCRATCH],
      given: structs(trap_info, { vector: 3, cs: 0x33, address: 0x4000_1000n }, {}),
      result: 0,
    },
    {
      call: ["set_trap_table", SCRATCH],
      given: structs(trap_info, { vector: 3, cs: 0x33, address: 1n << 63n }, {}),
      result: ERRNO.EINVAL,
      only: "lp64",
    },
    { call: ["set_trap_table", 0], result: 0 },
  ],
  "set_gdt": [
    { call: ["set_gdt", NOWHERE, 16], result: ERRNO.EFAULT },
    { call: ["set_gdt", SCRATCH, 14 * 512 + 1], result: ERRNO.EINVAL },
    { call: ["set_gdt", SCRATCH, 16], given: longs(0xffff_ffffn), result: ERRNO.EINVAL },
    { call: ["set_gdt", SCRATCH, 0], result: 0 },
  ],
  "set_segment_base": [
    { call: ["set_segment_base", 0, 0x1000], result: 0, only: "lp64" },
    { call: ["set_segment_base", 2, 1n << 47n], result: ERRNO.EINVAL, only: "lp64" },
    { call: ["set_segment_base", 3, 0], result: 0, only: "lp64" },
    { call: ["set_segment_base", 4, 0], result: ERRNO.EINVAL, only: "lp64" },
    { call: ["set_segment_base", 0, 0x1000], result: ERRNO.ENOSYS, only: "ilp32" },
  ],
  "set_debugreg and get_debugreg": [
    { call: ["set_debugreg", 0, 0x1234], result: 0 },
    { call: ["get_debugreg", 0], result: 0x1234 },
    { call: ["set_debugreg", 8, 0], result: ERRNO.ENODEV },
    { call: ["get_debugreg", 8], result: ERRNO.ENODEV },
    { call: ["set_debugreg", 1, 1n << 47n], result: ERRNO.EPERM, only: "lp64" },
    { call: ["get_debugreg", 7], result: 0x400 },
  ],
  "vm_assist": [
    { call: ["vm_assist", 0, 2], result: 0 },
    { call: ["vm_assist", 1, 2], result: 0 },
    { call: ["vm_assist", 0, 6], result: ERRNO.EINVAL },
    { call: ["vm_assist", 0, 32], result: 0, only: "lp64" },
    { call: ["vm_assist", 0, 32], result: ERRNO.EINVAL, only: "ilp32" },
    { call: ["vm_assist", 9, 2], result: ERRNO.ENOSYS },
  ],
  "mmu_update": [
    { call: ["mmu_update", SCRATCH, 0, 0, SELF], result: 0 },
    { call: ["mmu_update", NOWHERE, 1, 0, SELF], result: ERRNO.EFAULT },
    {
      call: ["mmu_update", SCRATCH, 1, 0, SELF],
      given: words64(0xfff_fff8n, 0n),
      result: ERRNO.EINVAL,
    },
    { call: ["mmu_update", SCRATCH, 1, 0, 77], given: words64(0n, 0n), result: ERRNO.ESRCH },
  ],
  "update_va_mapping": [
    { call: ["update_va_mapping", NOWHERE, 0, 0], result: ERRNO.EINVAL },
    { call: ["update_va_mapping", XEN_AREA, 0, 0], result: ERRNO.EINVAL },
    { call: ["update_va_mapping", SCRATCH + 0x7000, 0, 2], result: 0 },
  ],
  "mmuext_op": [
    { call: ["mmuext_op", SCRATCH, 1, 0, SELF], given: extended(6), result: 0 },
    { call: ["mmuext_op", SCRATCH, 1, 0, SELF], given: extended(99), result: ERRNO.ENOSYS },
    { call: ["mmuext_op", SCRATCH, 1, 0, SELF], given: extended(12), result: ERRNO.EACCES },
    {
      call: ["mmuext_op", SCRATCH, 1, 0, SELF],
      given: extended(4, 0xffff_ffffn),
      result: ERRNO.EINVAL,
    },
    { call: ["mmuext_op", SCRATCH, 1, 0, SELF], given: extended(13), result: 0 },
    {
      call: ["mmuext_op", SCRATCH, 1, 0, SELF],
      given: extended(13, 0x4000_8001n, 8n),
      result: ERRNO.EINVAL,
    },
    // One root for kernel and programs; no table above it.
    {
      call: ["mmuext_op", SCRATCH, 1, 0, SELF],
      given: extended(MMUEXT.NEW_USER_BASEPTR),
      result: ERRNO.EINVAL,
      only: "ilp32",
    },
    {
      call: ["mmuext_op", SCRATCH, 1, 0, SELF],
      given: extended(MMUEXT.PIN_L4_TABLE, 5n),
      result: ERRNO.EINVAL,
      only: "ilp32",
    },
  ],
  "memory_op": [
    { call: ["memory_op", 2, 0], result: 8192 },
    { call: ["memory_op", 3, SCRATCH], given: words64(0x7ff0n), result: 2048 },
    { call: ["memory_op", 4, SCRATCH], given: words64(0x7ff0n), result: 2048 },
    { call: ["memory_op", 4, SCRATCH], given: words64(77n), result: ERRNO.ESRCH },
    { call: ["memory_op", 12, SCRATCH], result: 0 },
    { call: ["memory_op", 12, NOWHERE], result: ERRNO.EFAULT },
    { call: ["memory_op", 10, SCRATCH], result: ERRNO.EPERM },
    { call: ["memory_op", 63, SCRATCH], result: ERRNO.ENOSYS },
    // The domain is at its limit: no extent is populated.
    {
      call: ["memory_op", 6, SCRATCH],
      given: structs(xen_memory_reservation, {
        extent_start: BigInt(SCRATCH + 0x100),
        nr_extents: 1n,
        domid: SELF,
      }),
      result: 0,
    },
  ],
  "vcpu_op": [
    { call: ["vcpu_op", 3, 0, 0], result: 1 },
    { call: ["vcpu_op", 3, 1, 0], result: ERRNO.ENOENT },
    { call: ["vcpu_op", 4, 0, SCRATCH], result: 0 },
    { call: ["vcpu_op", 4, 0, NOWHERE], result: ERRNO.EFAULT },
    { call: ["vcpu_op", 0, 0, SCRATCH], result: ERRNO.EEXIST },
    { call: ["vcpu_op", 6, 0, SCRATCH], given: words64(999n), result: ERRNO.EINVAL },
    {
      call: ["vcpu_op", 8, 0, SCRATCH],
      given: structs(vcpu_set_singleshot_timer, { flags: 1 }),
      result: ERRNO.ETIME,
    },
    { call: ["vcpu_op", 9, 0, 0], result: 0 },
    {
      call: ["vcpu_op", 10, 0, SCRATCH],
      given: structs(vcpu_register_vcpu_info, { offset: 4093 }),
      result: ERRNO.EINVAL,
    },
    { call: ["vcpu_op", 13, 0, SCRATCH], given: longs(BigInt(SCRATCH + 64)), result: 0 },
    { call: ["vcpu_op", 13, 0, SCRATCH], given: longs(BigInt(NOWHERE)), result: ERRNO.EFAULT },
    { call: ["vcpu_op", 13, 0, NOWHERE], result: ERRNO.EFAULT },
    { call: ["vcpu_op", 99, 0, 0], result: ERRNO.ENOSYS },
  ],
  "sched_op": [
    { call: ["sched_op", 0, 0], result: 0 },
    { call: ["sched_op", 3, NOWHERE], result: ERRNO.EFAULT },
    { call: ["sched_op", 4, 0], result: ERRNO.EPERM },
    { call: ["sched_op", 5, SCRATCH], given: words64(0n), result: 0 },
    { call: ["sched_op", 5, NOWHERE], result: ERRNO.EFAULT },
    { call: ["sched_op", 6, SCRATCH], given: words64(100n << 32n), result: 1 },
    { call: ["sched_op", 6, SCRATCH], given: words64(100n << 32n), result: 2 },
    { call: ["sched_op", 6, SCRATCH], given: words64(100n << 32n), result: ERRNO.ENOSPC },
    { call: ["sched_op", 6, SCRATCH], given: words64(2n | 200n << 32n), result: 0 },
    { call: ["sched_op", 6, SCRATCH], given: words64(2n), result: 0 },
    { call: ["sched_op", 6, SCRATCH], given: words64(2n), result: ERRNO.EINVAL },
    { call: ["sched_op", 6, NOWHERE], result: ERRNO.EFAULT },
    { call: ["sched_op", 99, 0], result: ERRNO.ENOSYS },
  ],
  "update_descriptor": [
    { call: ["update_descriptor", 0xfff_f000n, 0n], result: ERRNO.EINVAL },
    { call: ["update_descriptor", 4n, 0n], result: ERRNO.EINVAL },
    // A call gate.
    { call: ["update_descriptor", 0n, 0xec00n << 32n], result: ERRNO.EINVAL },
  ],
  "hypercalls in their old forms": [
    { call: ["sched_op_compat", 0, 0], result: 0 },
    { call: ["sched_op_compat", 3, 0], result: ERRNO.ENOSYS },
    {
      call: ["event_channel_op_compat", SCRATCH],
      given: words64(4n | 99n << 32n),
      result: ERRNO.EINVAL,
    },
    { call: ["event_channel_op_compat", SCRATCH], given: words64(10n), result: ERRNO.ENOSYS },
    { call: ["event_channel_op_compat", NOWHERE], result: ERRNO.EFAULT },
    { call: ["physdev_op_compat", SCRATCH], given: longs(6n, 1n), result: 0 },
    { call: ["physdev_op_compat", SCRATCH], given: longs(6n, 4n), result: ERRNO.EINVAL },
  ],
  "event_channel_op": [
    { call: ["event_channel_op", 4, SCRATCH], given: words64(99n), result: ERRNO.EINVAL },
    { call: ["event_channel_op", 1, SCRATCH], given: words64(0n, 0n), result: 0 },
    { call: ["event_channel_op", 1, SCRATCH], given: words64(0n, 0n), result: ERRNO.EEXIST },
    { call: ["event_channel_op", 7, SCRATCH], given: words64(5n), result: ERRNO.ENOENT },
    { call: ["event_channel_op", 2, SCRATCH], given: words64(0n), result: ERRNO.EPERM },
    { call: ["event_channel_op", 99, SCRATCH], result: ERRNO.ENOSYS },
  ],
  "grant_table_op": [
    { call: ["grant_table_op", 6, SCRATCH, 1], given: words64(0x7ff0n), result: 0 },
    { call: ["grant_table_op", 6, NOWHERE, 1], result: ERRNO.EFAULT },
    { call: ["grant_table_op", 8, SCRATCH, 1], given: words64(2n), result: ERRNO.ENOSYS },
    { call: ["grant_table_op", 99, SCRATCH, 1], result: ERRNO.ENOSYS },
  ],
  "callback_op": [
    { call: ["callback_op", 0, SCRATCH], given: callback(0, 0x4000_1000n), result: 0 },
    { call: ["callback_op", 0, SCRATCH], given: callback(6, 0n), result: ERRNO.ENOSYS },
    { call: ["callback_op", 1, SCRATCH], given: words64(0n), result: ERRNO.EINVAL },
    { call: ["callback_op", 1, SCRATCH], given: words64(4n), result: 0 },
    { call: ["callback_op", 2, SCRATCH], result: ERRNO.ENOSYS },
  ],
  "what a domain without privilege may not do": [
    { call: ["domctl", SCRATCH], result: ERRNO.EPERM },
    { call: ["sysctl", SCRATCH], result: ERRNO.EPERM },
    { call: ["platform_op", SCRATCH], result: ERRNO.EPERM },
    { call: ["physdev_op", 12, SCRATCH], result: ERRNO.EPERM },
    { call: ["physdev_op", 6, SCRATCH], given: words64(1n), result: 0 },
    { call: ["physdev_op", 6, SCRATCH], given: words64(4n), result: ERRNO.EINVAL },
    { call: ["physdev_op", 7, SCRATCH], given: longs(0n, 0x1_0000n), result: 0 },
    { call: ["physdev_op", 7, SCRATCH], given: longs(0n, 0x1_0001n), result: ERRNO.EINVAL },
    { call: ["physdev_op", 7, NOWHERE], result: ERRNO.EFAULT },
    { call: ["hvm_op", 0, SCRATCH], result: ERRNO.ENOSYS },
    { call: ["xenpmu_op", 0, SCRATCH], result: ERRNO.ENOSYS },
  ],
});

const WIDTHS: Readonly<Record<DataModel, string>> = { lp64: "64-bit", ilp32: "32-bit" };

for (const model of DATA_MODELS) {
  for (const [name, all] of Object.entries(rowsWith(XEN_AREAS[model]))) {
    const rows = all.filter(({ only }) => only === undefined || only === model);
    Deno.test(`${name} answers a ${WIDTHS[model]} guest as the public headers say`, async () => {
      const guest = await AbiGuest.start({ model });
      const found: string[] = [];
      for (const { call, given } of rows) {
        if (given) guest.poke(SCRATCH, given(model));
        found.push(describe(await guest.call(...call)));
      }
      assertEquals(found, rows.map(({ result }) => describe(result)));
    });
  }
}

function describe(result: number): string {
  return result < 0 ? errnoName(result) : String(result);
}

/** A test that is held for guests of either data model. */
function forEither(claim: string, check: (model: DataModel) => Promise<void>): void {
  for (const model of DATA_MODELS) {
    Deno.test(`${claim} (${WIDTHS[model]})`, async () => await check(model));
  }
}

forEither("a multicall makes its calls in order, and each entry gets its result", async (model) => {
  const guest = await AbiGuest.start({ model });
  const entry = (op: bigint, first: bigint) => ({ op, args: [first, 0n, 0n, 0n, 0n, 0n] });
  const entries = structs(multicall_entry, entry(17n, 0n), entry(13n, 0n), entry(17n, 99n));
  guest.poke(SCRATCH, entries(model));
  assertEquals(await guest.call("multicall", SCRATCH, 3), 0);
  const bytes = multicall_entry.sizeBytes(model);
  const results = [0, 1, 2].map((i) => {
    const { result } = multicall_entry.read(guest.peek(SCRATCH + i * bytes, bytes), 0, model);
    return Number(BigInt.asIntN(32, result));
  });
  assertEquals(results, [0x4_0011, ERRNO.EINVAL, ERRNO.ENOSYS]);
  assertEquals(await guest.call("multicall", 0x7000_0000, 1), ERRNO.EFAULT);
});

forEither(
  "a batch counts what it did, and the machine-to-physical table keeps the last note",
  async (model) => {
    const guest = await AbiGuest.start({ model });
    const frame = BigInt(guest.frameAt(SCRATCH));
    const updates = 200;
    for (let i = 0; i < updates; i++) guest.poke64(SCRATCH + 16 * i, frame << 12n | 1n, BigInt(i));
    assertEquals(await guest.call("mmu_update", SCRATCH, updates, SCRATCH + 0xff8, 0x7ff0), 0);
    assertEquals(Number(guest.peek64(SCRATCH + 0xff8) & 0xffff_ffffn), updates);
    assertEquals(guest.host.hypervisor.map.pfnOf(Number(frame)), updates - 1);
  },
);

forEither(
  "the machine-to-physical table is said to be as long on any machine: a guest asks once and may go on elsewhere",
  async (model) => {
    const guest = await AbiGuest.start({ model });
    assertEquals(await guest.call("memory_op", 12, SCRATCH), 0);
    const bytes = guest.peek(SCRATCH, xen_machphys_mapping.sizeBytes(model));
    const expected = model === "lp64"
      ? { v_start: 0xffff_8000_0000_0000n, v_end: 0xffff_8040_0000_0000n, max_mfn: 2n ** 35n - 1n }
      : { v_start: 0xf580_0000n, v_end: 0xffe0_0000n, max_mfn: 0x298_0000n - 1n };
    assertEquals(xen_machphys_mapping.read(bytes, 0, model), expected);
  },
);

forEither(
  "a page becomes a table only after its last writable mapping went, and is memory again after it",
  async (model) => {
    const guest = await AbiGuest.start({ model });
    const page = SCRATCH + 0x1000;
    const frame = BigInt(guest.frameAt(page));
    const pin = extended(MMUEXT.PIN_L1_TABLE, frame);
    const unpin = extended(MMUEXT.UNPIN_TABLE, frame);
    const operation = async (given: Given) => {
      guest.poke(SCRATCH, given(model));
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
  },
);

forEither("frames that are given back are free, and come back as zeros", async (model) => {
  const guest = await AbiGuest.start({ model });
  const page = SCRATCH + 0x2000;
  const frame = guest.frameAt(page);
  guest.poke64(page, 0x1234n);
  const { frames } = guest.host.hypervisor;
  const free = frames.freeFrames;
  const extent_start = BigInt(SCRATCH + 0x100);
  const reservation = structs(xen_memory_reservation, {
    extent_start,
    nr_extents: 1n,
    domid: SELF,
  });
  guest.poke(SCRATCH, reservation(model));
  guest.pokeLongs(SCRATCH + 0x100, BigInt(frame));
  // Still mapped: the frame stays until the mapping goes.
  assertEquals(await guest.call("memory_op", 1, SCRATCH), 1);
  assertEquals(frames.freeFrames, free);
  assertEquals(await guest.call("update_va_mapping", page, 0, 2), 0);
  assertEquals(frames.freeFrames, free + 1);
  guest.pokeLongs(SCRATCH + 0x100, 513n);
  assertEquals(await guest.call("memory_op", 6, SCRATCH), 1);
  const populated = guest.peekLong(SCRATCH + 0x100);
  assertEquals(await guest.call("update_va_mapping", page, populated << 12n | 3n, 2), 0);
  assertEquals(guest.host.hypervisor.map.pfnOf(Number(populated)), 513);
  const bytes = new Uint8Array(8);
  guest.host.hypervisor.memory.readBytes(Number(populated) as typeof frame, 0, bytes);
  assertEquals([...bytes], [0, 0, 0, 0, 0, 0, 0, 0]);
});

forEither("a one-shot timer enters the kernel through the event callback", async (model) => {
  const guest = await AbiGuest.start({ model });
  guest.poke(SCRATCH, callback(0, guest.labels.event)(model));
  assertEquals(await guest.call("callback_op", 0, SCRATCH), 0);
  guest.poke64(SCRATCH, 0n, 0n);
  assertEquals(await guest.call("event_channel_op", 1, SCRATCH), 0);
  const timeout_abs_ns = BigInt(guest.host.hypervisor.systemTimeNs() + 1_000_000);
  guest.poke(SCRATCH, structs(vcpu_set_singleshot_timer, { timeout_abs_ns, flags: 1 })(model));
  const before = guest.eventsTaken;
  const [armed] = await guest.calls([["vcpu_op", 8, 0, SCRATCH]]);
  assertEquals(armed, 0n);
  // Events are let in by SCHEDOP_block, which ends when the timer does.
  await guest.call("sched_op", 1);
  assertEquals(guest.eventsTaken, before + 1);
});

forEither("destroying a domain gives every frame back", async (model) => {
  const guest = await AbiGuest.start({ model });
  const { hypervisor } = guest.host;
  const { domain } = guest.domain;
  const owned = domain.pages;
  const free = hypervisor.frames.freeFrames;
  hypervisor.destroyDomain(domain);
  // Its memory, and besides: shared page, area tables, grant table.
  assertEquals(hypervisor.frames.freeFrames >= free + owned + 4, true);
  assertEquals([...hypervisor.frames.framesOf(domain.id)], []);
});

forEither(
  "the machine-to-physical table is where XENMEM_machphys_mapping says, for the kernel to read",
  async (model) => {
    const guest = await AbiGuest.start({ model });
    assertEquals(await guest.call("memory_op", 12, SCRATCH), 0);
    const bytes = guest.peek(SCRATCH, xen_machphys_mapping.sizeBytes(model));
    const { v_start } = xen_machphys_mapping.read(bytes, 0, model);
    const frame = BigInt(guest.frameOf(1000));
    const [code, longBytes] = model === "lp64" ? ["mov rax, [rax]", 8n] : ["mov eax, [eax]", 4n];
    const register = model === "lp64" ? "rax" : "eax";
    assertEquals(
      await guest.run(`mov ${register}, ${v_start + longBytes * frame}\n${code}\nret`),
      1000n,
    );
  },
);

/** A second virtual CPU's code: leaves a word, and takes itself down. */
const SECOND: Readonly<Record<DataModel, string>> = {
  lp64: `
        mov qword [${SCRATCH + 0x3000}], 0x77
        mov eax, ${HYPERCALL.vcpu_op}
        mov edi, 2
        mov esi, 1
        xor edx, edx
        syscall`,
  ilp32: `
        mov dword [${SCRATCH + 0x3000}], 0x77
        mov eax, ${HYPERCALL.vcpu_op}
        mov ebx, 2
        mov ecx, 1
        xor edx, edx
        int 0x82`,
};

forEither("a second virtual CPU starts from its context, once", async (model) => {
  const guest = await AbiGuest.start({ model, vcpus: 2 });
  const bits = model === "lp64" ? 64 : 32;
  guest.poke(SNIPPETS, assemble(SECOND[model], { bits, origin: SNIPPETS }).bytes);
  const root = BigInt(guest.domain.domain.vcpus[0].root!) << 12n;
  const context = VCPU_GUEST_CONTEXT.toBytes({
    user_regs: { ...CPU_USER_REGS_64.zero(), rip: BigInt(SNIPPETS), rsp: BigInt(KERNEL_STACK) },
    user_regs_32: {
      ...CPU_USER_REGS_32.zero(),
      ...{ eip: SNIPPETS, esp: KERNEL_STACK, cs: 0xe019, ss: 0xe021, ds: 0xe021 },
    },
    ctrlreg: [0n, 0n, 0n, root, 0n, 0n, 0n, 0n],
  }, model);
  const initialise = () => guest.call("vcpu_op", 0, 1, SCRATCH);
  assertEquals(await guest.call("vcpu_op", 1, 1, 0), ERRNO.EINVAL);
  assertEquals(await initialise(), ERRNO.EINVAL);
  guest.poke(SCRATCH, context);
  assertEquals([await initialise(), await initialise()], [0, ERRNO.EEXIST]);
  assertEquals(await guest.call("vcpu_op", 1, 1, 0), 0);
  for (let i = 0; i < 8; i++) await guest.call("sched_op", 0);
  assertEquals([guest.peekLong(SCRATCH + 0x3000), await guest.call("vcpu_op", 3, 1, 0)], [
    0x77n,
    0,
  ]);
});
