/** What a 32-bit paravirtual kernel meets that a 64-bit one does not: rings, its own IRET, tables with the hypervisor's part. */

import { assertEquals } from "@std/assert";
import { ERRNO } from "../../../core/abi/errno.ts";
import { HYPERCALL } from "../../../core/abi/hypercalls.ts";
import { MMUEXT, mmuext_op, start_info, VCPU_INFO } from "../../../core/abi/xen.ts";
import { vcpu_set_singleshot_timer } from "../../../core/abi/operations.ts";
import { FrameType } from "../../../core/hypervisor/memory/frame_table.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import type { Cycles } from "../../../core/clock/clock.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { Host } from "../../../testbed/host/host.ts";
import { CODE, pvKernel } from "./pv_kernel.ts";
import { AbiGuest, KERNEL_STACK, SCRATCH, SNIPPETS, structs, VIRT_BASE } from "./abi_guest.ts";

const KERNEL_CS = 0xe019n;
const KERNEL_DS = 0xe021n;
const USER_CS = 0xe02bn;
const USER_DS = 0xe033n;
const UD = 6;
const GP = 13;
const PF = 14;
/** `TI_SET_IF`: the handler begins with events masked. */
const MASKS_EVENTS = 4;
const SELF = 0x7ff0;
/** The programs' stack, and where the hypervisor's part begins. */
const USER_STACK = SCRATCH + 0x7000;
const MACHINE_MAP = 0xf580_0000;
const PAGE_BYTES = 4096;

const start = () => AbiGuest.start({ model: "ilp32" });

/** What a snippet of the kernel raises. */
interface Raised {
  readonly what: string;
  readonly code: string;
  readonly vector: number;
  readonly error?: bigint;
  /** From the start of the snippet. */
  readonly rip: bigint;
}

const RAISED: readonly Raised[] = [
  { what: "an undefined instruction", code: "ud2", vector: UD, rip: 0n },
  { what: "SYSCALL", code: "syscall", vector: UD, rip: 0n },
  { what: "a store to no page", code: "mov [0x70000000], eax", vector: PF, error: 2n, rip: 0n },
  { what: "a load from no page", code: "mov eax, [0x70000000]", vector: PF, error: 0n, rip: 0n },
  {
    what: "a store into the machine-to-physical table",
    code: `mov [${MACHINE_MAP}], eax`,
    vector: PF,
    error: 3n,
    rip: 0n,
  },
  { what: "HLT", code: "hlt", vector: GP, error: 0n, rip: 0n },
  { what: "LGDT", code: "lgdt [esp]", vector: GP, error: 0n, rip: 0n },
  { what: "a far jump to 64-bit code", code: "jmp 0xe037:0", vector: GP, error: 0xe034n, rip: 0n },
  {
    what: "a selector of no segment",
    code: "mov eax, 8\nmov ds, ax",
    vector: GP,
    error: 8n,
    rip: 5n,
  },
  {
    what: "WRMSR of a segment base",
    code: "mov ecx, 0xc0000100\nwrmsr",
    vector: GP,
    error: 0n,
    rip: 5n,
  },
  {
    what: "RDMSR of a segment base",
    code: "mov ecx, 0xc0000100\nrdmsr",
    vector: GP,
    error: 0n,
    rip: 5n,
  },
  { what: "INT n of level 0", code: "int 0x55", vector: GP, error: 0x2aan, rip: 0n },
  { what: "INT n of level 1", code: "int 0x56", vector: 0x56, rip: 2n },
  { what: "INT3 of level 3", code: "int3", vector: 3, rip: 1n },
];

for (const { what, code, vector, error, rip } of RAISED) {
  Deno.test(`${what} enters a 32-bit kernel with the frame of vector ${vector}`, async () => {
    const guest = await start();
    const level = vector === 0x56 ? 1 : vector === 3 ? 3 : 0;
    await guest.run(`${code}\nret`, { [vector]: level, 0x55: 0 });
    const frame = guest.frame(error !== undefined);
    // The saved event mask lies above the selector: this kernel has let no events in.
    assertEquals(
      [guest.trapsTaken, frame.rip, frame.cs, frame.error],
      [1, BigInt(SNIPPETS) + rip, KERNEL_CS | 1n << 16n, error],
    );
  });
}

Deno.test("a page fault leaves its address in a 32-bit vcpu_info", async () => {
  const guest = await start();
  await guest.run("mov eax, [0x70000123]\nret", { [PF]: 0 });
  const { memory } = guest.host.hypervisor;
  const { sharedInfo } = guest.domain.domain;
  assertEquals(memory.read32(sharedInfo, VCPU_INFO.ilp32.cr2), 0x7000_0123);
});

Deno.test("what a 32-bit kernel may do without privilege is carried out", async () => {
  const guest = await start();
  const root = BigInt(guest.domain.domain.vcpus[0].root!);
  const rows: readonly (readonly [code: string, eax: bigint])[] = [
    ["mov eax, cr0\nret", 0x8005_0033n],
    // xen_pfn_to_cr3: a rotation.
    ["mov eax, cr3\nret", root << 12n],
    ["wbinvd\nmov eax, 1\nret", 1n],
    ["mov eax, cs\nret", KERNEL_CS],
    ["mov eax, 0x80000001\ncpuid\nmov eax, edx\nand eax, 0x20000000\nret", 0n],
    [
      "mov eax, 0x40000000\ndb 0x0f, 0x0b, 'xen', 0x0f, 0xa2\nmov eax, ebx\nret",
      0x566e_6558n,
    ],
  ];
  const found: bigint[] = [];
  for (const [code] of rows) found.push(await guest.run(code));
  assertEquals(found, rows.map(([, eax]) => eax));
});

/** Enters a program at `code` by the kernel's own IRET, or by the hypercall. */
function inProgram(code: string, way: "iret" | "hypercall" = "iret"): string {
  const enter = way === "iret"
    ? "iretd"
    : `push 0x3333           ; EAX\nmov eax, ${HYPERCALL.iret}\nint 0x82`;
  return `
        push ${USER_DS}
        push ${USER_STACK}
        push 0x202
        push ${USER_CS}
        push program
        ${enter}
program:
        mov ecx, ${USER_DS}
        mov ds, cx
        mov es, cx
        ${code}`;
}

/** A guest whose pages of programs may be used by programs: the initial mapping is its kernel's alone. */
async function withPrograms(): Promise<AbiGuest> {
  const guest = await start();
  for (const page of [SNIPPETS, USER_STACK - PAGE_BYTES, SCRATCH + 0x3000]) {
    const entry = BigInt(guest.frameAt(page)) << 12n | 7n;
    assertEquals(await guest.call("update_va_mapping", page, entry, 2), 0);
  }
  return guest;
}

for (const way of ["iret", "hypercall"] as const) {
  Deno.test(`a program entered by ${way} calls its kernel with INT 0x80, on the kernel's stack`, async () => {
    const guest = await withPrograms();
    const before = `mov [${SCRATCH + 0x3000}], eax`;
    await guest.run(inProgram(`${before}\nint 0x80\nret`, way), { 0x80: 3 });
    const { cs, rsp, ss, rflags } = guest.frame(false);
    assertEquals([guest.trapsTaken, cs & 0xffffn, ss, rsp], [
      1,
      USER_CS,
      USER_DS,
      BigInt(USER_STACK),
    ]);
    if (way === "hypercall") {
      assertEquals(guest.peekLong(SCRATCH + 0x3000), 0x3333n);
      // The frame's EFLAGS.IF let events in.
      assertEquals([cs >> 16n, rflags & 0x200n], [0n, 0x200n]);
    }
    // SS, ESP, EFLAGS, CS, EIP.
    assertEquals(guest.peekLong(KERNEL_STACK - 4), USER_DS);
  });
}

Deno.test("INT 0x80 of a program costs no entry to the hypervisor, and a fault does", async () => {
  const bounces = async (code: string, vectors: Readonly<Record<number, number>>) => {
    const guest = await withPrograms();
    const { ledger } = guest.host.hypervisor.ports;
    await guest.run(inProgram(`${code}\nret`), vectors);
    const entry = ledger.entries(guest.domain.id).find(({ cost }) => cost === "trapBounce");
    return entry?.count ?? 0;
  };
  assertEquals(await bounces("int 0x80", { 0x80: 3 }), 0);
  assertEquals(await bounces("ud2", { [UD]: 0 }), 1);
});

const PROGRAM_FAULTS:
  readonly (readonly [what: string, code: string, vector: number, error: bigint])[] = [
    ["HLT", "hlt", GP, 0n],
    ["CLI", "cli", GP, 0n],
    ["MOV from CR0", "mov eax, cr0", GP, 0n],
    ["a hypercall", "mov eax, 17\nint 0x82", GP, 0x412n],
    ["INT n of level 1", "int 0x56", GP, 0x2b2n],
    ["a load from no page", "mov eax, [0x70000000]", PF, 4n],
    ["a load from a page of the kernel", `mov eax, [${VIRT_BASE + 0x3000}]`, PF, 5n],
    ["a load from the machine-to-physical table", `mov eax, [${MACHINE_MAP}]`, PF, 5n],
  ];

for (const [what, code, vector, error] of PROGRAM_FAULTS) {
  Deno.test(`${what} in a 32-bit program is a fault of the program`, async () => {
    const guest = await withPrograms();
    await guest.run(inProgram(`${code}\nret`), { [vector]: 0, 0x56: 1 });
    const frame = guest.frame(true);
    assertEquals([frame.cs & 0xffffn, frame.error], [USER_CS, error]);
  });
}

Deno.test("a program that computes is interrupted by the timer's upcall, which masks events", async () => {
  const guest = await withPrograms();
  const { handler } = guest.labels;
  assertEquals(await guest.call("set_callbacks", KERNEL_CS, handler, KERNEL_CS, handler), 0);
  guest.poke64(SCRATCH, 0n, 0n);
  assertEquals(await guest.call("event_channel_op", 1, SCRATCH), 0);
  const timeout_abs_ns = BigInt(guest.host.hypervisor.systemTimeNs() + 1_000_000);
  const structure = structs(vcpu_set_singleshot_timer, { timeout_abs_ns, flags: 1 });
  guest.poke(SCRATCH + 0x3800, structure("ilp32"));
  const arm = `
        mov eax, ${HYPERCALL.vcpu_op}
        mov ebx, 8
        xor ecx, ecx
        mov edx, ${SCRATCH + 0x3800}
        int 0x82`;
  await guest.run(arm + inProgram("jmp $", "hypercall"));
  const { cs, ss, rflags } = guest.frame(false);
  assertEquals([guest.trapsTaken, cs, ss], [1, USER_CS, USER_DS]);
  assertEquals(rflags & 0x200n, 0x200n);
  const { upcalls } = guest.host.hypervisor;
  assertEquals(upcalls.masked(guest.domain.domain.vcpus[0]), true);
});

Deno.test("a handler may ask for events to be masked", async () => {
  const guest = await start();
  const { upcalls } = guest.host.hypervisor;
  const [vcpu] = guest.domain.domain.vcpus;
  for (const [flags, masked] of [[0, false], [MASKS_EVENTS, true]] as const) {
    upcalls.mask(vcpu, false);
    await guest.run("ud2\nret", { [UD]: flags });
    assertEquals(upcalls.masked(vcpu), masked);
  }
});

Deno.test("iret with a selector that cannot be loaded enters the failsafe callback", async () => {
  const guest = await withPrograms();
  const { handler } = guest.labels;
  assertEquals(await guest.call("set_callbacks", KERNEL_CS, handler, KERNEL_CS, handler), 0);
  const badStack = `
        push 0x1003
        push ${USER_STACK}
        push 0x202
        push ${USER_CS}
        push ${SNIPPETS}
        push 0
        mov eax, ${HYPERCALL.iret}
        int 0x82`;
  await guest.run(badStack);
  // Selectors of data first: DS, ES, FS, GS.
  const words = [0, 4, 8, 12, 16, 20].map((at) => guest.peekLong(VIRT_BASE + 0x3100 + at));
  assertEquals(words.slice(0, 4), [KERNEL_DS, KERNEL_DS, KERNEL_DS, KERNEL_DS]);
  assertEquals([words[4], words[5] & 0xffffn], [BigInt(SNIPPETS), USER_CS]);
});

/** A `mmuext_op` of the guest's. */
async function extended(guest: AbiGuest, cmd: number, mfn: number): Promise<number> {
  guest.poke(SCRATCH, structs(mmuext_op, { cmd, mfn: BigInt(mfn) })("ilp32"));
  return await guest.call("mmuext_op", SCRATCH, 1, 0, SELF);
}

/** A page outside of everything, of zeros, that the guest no longer maps. */
async function spare(guest: AbiGuest, pfn: number): Promise<{ frame: number; address: number }> {
  const address = VIRT_BASE + pfn * PAGE_BYTES;
  assertEquals(await guest.call("update_va_mapping", address, 0n, 2), 0);
  return { frame: guest.frameOf(pfn), address };
}

Deno.test("a root needs a table for its last GiB, of its own, which then holds the hypervisor's entries", async () => {
  const guest = await start();
  const { hypervisor } = guest.host;
  const { memory, frames } = hypervisor;
  const [{ frame: root }, { frame: last }, { frame: second }] = [
    await spare(guest, 1000),
    await spare(guest, 1001),
    await spare(guest, 1002),
  ];
  const at = (table: number, index: number, value: number) =>
    memory.write32(table as Parameters<typeof memory.write32>[0], 8 * index, value);
  assertEquals(await extended(guest, MMUEXT.PIN_L3_TABLE, root), ERRNO.EINVAL);
  at(root, 3, last << 12 | 1);
  at(root, 7, 0x1234_5001);
  assertEquals(await extended(guest, MMUEXT.PIN_L3_TABLE, root), 0);
  assertEquals(frames.type[last], FrameType.l2Xen);
  const word = (table: number, index: number) =>
    memory.read32(table as Parameters<typeof memory.read32>[0], 8 * index);
  assertEquals([word(root, 7), word(last, 427), word(last, 428) & 0xfff], [0, 0, 0x21]);
  // Nobody else may have it, and it stays.
  at(second, 3, last << 12 | 1);
  assertEquals(await extended(guest, MMUEXT.PIN_L3_TABLE, second), ERRNO.EINVAL);
  const update = (index: number) => {
    guest.poke64(SCRATCH, BigInt(root) << 12n | BigInt(8 * index), 0n);
    return guest.call("mmu_update", SCRATCH, 1, 0, SELF);
  };
  assertEquals([await update(3), await update(4), await update(2)], [
    ERRNO.EINVAL,
    ERRNO.EINVAL,
    0,
  ]);
  assertEquals(auditFrames(hypervisor), []);
  assertEquals(await extended(guest, MMUEXT.UNPIN_TABLE, root), 0);
  assertEquals(auditFrames(hypervisor), []);
});

const STORES: readonly (readonly [what: string, code: string])[] = [
  ["MOVs of halves", "mov [edi], eax\nmov [edi + 4], edx"],
  [
    "CMPXCHG8B",
    "push ebx\nmov ebx, eax\nmov ecx, edx\nxor eax, eax\nxor edx, edx\nlock cmpxchg8b [edi]\npop ebx",
  ],
  ["STOSD", "stosd\nxchg eax, edx\nstosd"],
];

for (const [what, code] of STORES) {
  Deno.test(`${what} into a 32-bit guest's page table are carried out as checked updates`, async () => {
    const guest = await start();
    const table = VIRT_BASE + 600 * PAGE_BYTES;
    const frame = guest.frameAt(table);
    const page = guest.frameAt(VIRT_BASE + 601 * PAGE_BYTES);
    assertEquals(await guest.call("update_va_mapping", table, BigInt(frame) << 12n | 1n, 2), 0);
    assertEquals(await extended(guest, MMUEXT.PIN_L1_TABLE, frame), 0);
    const entry = BigInt(page) << 12n | 0x61n;
    const store = `mov edi, ${table + 8}\nmov eax, ${entry}\nmov edx, 0x80000000\n${code}\nret`;
    await guest.run(store, { [PF]: 0 });
    assertEquals([guest.trapsTaken, guest.peek64(table + 8)], [0, entry | 1n << 63n]);
    // Its reservation, its place in the initial mapping, and the new entry.
    assertEquals(guest.host.hypervisor.frames.count[page], 3);
  });
}

Deno.test("a store into a level-2 table is carried out, too", async () => {
  const guest = await start();
  const table = VIRT_BASE + 600 * PAGE_BYTES;
  const { frame: lower } = await spare(guest, 601);
  const frame = guest.frameAt(table);
  assertEquals(await guest.call("update_va_mapping", table, BigInt(frame) << 12n | 1n, 2), 0);
  assertEquals(await extended(guest, MMUEXT.PIN_L2_TABLE, frame), 0);
  await guest.run(`mov eax, ${lower << 12 | 0x67}\nmov [${table + 16}], eax\nret`, { [PF]: 0 });
  const { frames } = guest.host.hypervisor;
  assertEquals([guest.trapsTaken, frames.type[lower]], [0, FrameType.l1]);
});

/** Descriptors: bits 63..32 of flat segments, and what becomes of them. */
const DESCRIPTORS: readonly (readonly [what: string, high: bigint, found: bigint | null])[] = [
  ["code of ring 0 becomes one of ring 1", 0x00cf_9b00n, 0x00cf_bb00n],
  ["data of ring 3 stays one", 0x00cf_f300n, 0x00cf_f300n],
  ["64-bit code is refused", 0x00af_fb00n, null],
  ["a call gate is refused", 0x0000_ec00n, null],
];

for (const [what, high, found] of DESCRIPTORS) {
  Deno.test(`in a 32-bit guest's descriptor table, ${what}`, async () => {
    const guest = await start();
    const place = BigInt(guest.frameAt(SCRATCH)) << 12n;
    const result = await guest.call("update_descriptor", place | 0x10n, 0xffffn | high << 32n);
    assertEquals(result, found === null ? ERRNO.EINVAL : 0);
    assertEquals(guest.peek64(SCRATCH + 0x10), found === null ? 0n : 0xffffn | found << 32n);
  });
}

Deno.test("a kernel's own descriptors serve, and linear addresses wrap at 4 GiB", async () => {
  const guest = await start();
  const { address, frame } = { address: VIRT_BASE + 900 * PAGE_BYTES, frame: guest.frameOf(900) };
  // Selector 0x9: code; 0x11: data, with a base.
  const base = 0xffff_f000n;
  const data = 0xffffn | (base & 0xff_ffffn) << 16n | 0xcf_b300n << 32n | (base >> 24n) << 56n;
  guest.poke64(address, 0n, 0xffffn | 0xcf_bb00n << 32n, data);
  assertEquals(await guest.call("update_va_mapping", address, BigInt(frame) << 12n | 1n, 2), 0);
  guest.pokeLongs(SCRATCH, BigInt(frame));
  assertEquals(await guest.call("set_gdt", SCRATCH, 512), 0);
  guest.poke64(SCRATCH + 0x3010, 0x5555n);
  const code = `
        mov eax, 0x11
        mov fs, ax
        jmp 9:there
there:  mov ecx, cs
        mov eax, [fs:${SCRATCH + 0x3010 + 0x1000}]
        shl ecx, 16
        or eax, ecx
        ret`;
  assertEquals(await guest.run(code), 0x9_5555n);
});

/** Finds its console's page by the machine-to-physical table, and writes into the ring (`io/console.h`). */
const HELLO = `
        mov eax, [esi + ${start_info.offsetOf("console_mfn", "ilp32")}]
        mov edi, [${MACHINE_MAP} + eax * 4]
        shl edi, 12
        add edi, ${VIRT_BASE}
        mov ebp, edi
        add edi, 1024         ; out
        mov ebx, esi
        mov esi, text
        mov ecx, 18
        rep movsb
        mov dword [ebp + 3084], 18 ; out_prod
        lea ecx, [ebx + ${start_info.offsetOf("console_evtchn", "ilp32")}]
        mov eax, ${HYPERCALL.event_channel_op}
        mov ebx, 4            ; EVTCHNOP_send
        int 0x82
wait:   mov eax, ${HYPERCALL.sched_op}
        mov ebx, 1            ; SCHEDOP_block
        int 0x82
        jmp wait
text:   db "hello from ring 1", 10
`;

Deno.test("a small 32-bit kernel of ours prints through its console's ring", async () => {
  const host = await Host.boot({ memory: "32MiB" });
  const kernel = pvKernel(assemble(HELLO, { bits: 32, origin: CODE }).bytes, "ilp32");
  const { console } = await host.create({ name: "hello", kernel, memory: "4MiB" });
  const forCycles = 10_000_000 as Cycles;
  const stop = await host.run({ forCycles, console, untilText: "ring 1\n" });
  assertEquals([stop.kind, console.text], ["marker", "hello from ring 1\n"]);
});
