import { assert, assertEquals, assertThrows } from "@std/assert";
import { physical } from "../../core/lib/brand.ts";
import { test } from "../../core/lib/testing.ts";
import { planBoot } from "./boot.ts";
import { BootError } from "./boot_error.ts";
import type { LoadPlan, LoadSegment } from "./load_plan.ts";
import { bzImage, elfImage, pattern, pcMap } from "./test_images.ts";

function segment(plan: LoadPlan, name: string): LoadSegment {
  const found = plan.segments.find((part) => part.name === name);
  assert(found, `no segment ${name}`);
  return found;
}

function words(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const request = {
  kernel: bzImage(),
  memoryMap: pcMap(64),
  commandLine: "console=ttyS0 näh",
  initrd: pattern(10000),
  acpiRsdp: physical(0xe_0000),
};

test("a 64-bit bzImage starts in long mode 0x200 past its load address", () => {
  const plan = planBoot(request);
  assertEquals(plan.protocol, "linux64");
  assert(plan.entry.kind === "long64");
  const { instructionPointer, registers, cr0, cr3, cr4, efer, eflags, code, data } = plan.entry;
  assertEquals(instructionPointer, 0x100_0200);
  assertEquals(registers.esi, segment(plan, "boot_params").address);
  assertEquals({ cr0, cr4, efer, eflags }, {
    cr0: 0x8000_0011,
    cr4: 0x20,
    efer: 0x500,
    eflags: 2,
  });
  assertEquals([code.selector, data.selector], [0x10, 0x18]);
  assertEquals(cr3, segment(plan, "page tables").address);
  assertEquals(segment(plan, "kernel").address, physical(0x100_0000));
  assertEquals(segment(plan, "kernel").bytes, pattern(4096));
});

test("the page tables of the 64-bit entry map the first 4 GiB to themselves", () => {
  const { address, bytes } = segment(planBoot(request), "page tables");
  const view = words(bytes);
  const frame = (at: number) => Number(view.getBigUint64(at, true) & ~0xfffn) - address;
  for (const linear of [0, 0x20_0000, 0x100_0000, 0xc000_0000, 0xffe0_0000]) {
    const table = frame(0);
    const directory = frame(table + Math.floor(linear / 0x4000_0000) * 8);
    const entry = view.getBigUint64(directory + (Math.floor(linear / 0x20_0000) % 512) * 8, true);
    assertEquals(entry, BigInt(linear) + 0x83n);
  }
});

test("the GDT holds the descriptors that the start state names", () => {
  const gdt = words(segment(planBoot(request), "GDT").bytes);
  assertEquals([0x10, 0x18, 0x20].map((selector) => gdt.getBigUint64(selector, true)), [
    0x00af_9b00_0000_ffffn,
    0x00cf_9300_0000_ffffn,
    0x0000_8b00_0000_0067n,
  ]);
  const legacy = planBoot({ ...request, kernel: bzImage({ xloadflags: 0 }) });
  const wordsOf32 = words(segment(legacy, "GDT").bytes);
  assertEquals(wordsOf32.getBigUint64(0x10, true), 0x00cf_9b00_0000_ffffn);
});

test("a bzImage without 64-bit entry starts in protected mode at its load address", () => {
  const plan = planBoot({ ...request, kernel: bzImage({ xloadflags: 0 }) });
  assertEquals(plan.protocol, "linux32");
  assert(plan.entry.kind === "protected32");
  assertEquals(plan.entry.instructionPointer, 0x100_0000);
  assertEquals(plan.entry.registers.esi, segment(plan, "boot_params").address);
  assertEquals([plan.entry.cr0, plan.entry.cr4], [0x11, 0]);
});

test("boot_params carries header, command line, initramfs, memory map, screen and ACPI pointer", () => {
  const plan = planBoot(request);
  const initrd = segment(plan, "initramfs");
  const view = words(segment(plan, "boot_params").bytes);
  const u32 = (offset: number) => view.getUint32(offset, true);
  assertEquals(view.byteLength, 4096);
  assertEquals([view.getUint8(6), view.getUint8(7), view.getUint8(0xe), view.getUint8(0xf)], [
    3,
    80,
    25,
    1,
  ]);
  assertEquals(view.getBigUint64(0x70, true), 0xe_0000n);
  assertEquals([u32(0x202), view.getUint8(0x210)], [0x5372_6448, 0xff]);
  assertEquals([u32(0x214), u32(0x218), u32(0x21c)], [0x100_0000, initrd.address, 10000]);
  assertEquals(u32(0x228), segment(plan, "command line").address);
  assertEquals(view.getUint8(0x1e8), 4);
  assertEquals(
    [view.getBigUint64(0x2d0 + 60, true), view.getBigUint64(0x2d0 + 68, true), u32(0x2d0 + 76)],
    [0x10_0000n, 0x3f0_0000n, 1],
  );
  assertEquals(view.getUint8(0x1ef), 0);
  assertEquals(
    segment(plan, "command line").bytes,
    Uint8Array.from([..."console=ttyS0 n\xc3\xa4h\0"].map((byte) => byte.charCodeAt(0))),
  );
});

test("the initramfs goes to the highest page below initrd_addr_max and the end of RAM", () => {
  assertEquals(segment(planBoot(request), "initramfs").address, physical(0x3ff_d000));
  const low = bzImage({ initrd_addr_max: 0x2ff_ffff });
  assertEquals(
    segment(planBoot({ ...request, kernel: low }), "initramfs").address,
    physical(0x2ff_d000),
  );
});

test("no two segments overlap", () => {
  const { segments } = planBoot(request);
  const sorted = [...segments].sort((a, b) => a.address - b.address);
  sorted.slice(1).forEach((next, index) => {
    assert(sorted[index].address + sorted[index].sizeBytes <= next.address, next.name);
  });
});

test("a vmlinux without notes is entered at its ELF entry with boot_params in (R)SI", () => {
  for (const [bits, kind] of [[32, "protected32"], [64, "long64"]] as const) {
    const plan = planBoot({ ...request, kernel: elfImage({ bits }) });
    assertEquals([plan.protocol, plan.entry.kind], ["vmlinux", kind]);
    assert(plan.entry.kind !== "real16");
    assertEquals(plan.entry.instructionPointer, 0x100_0010);
    assertEquals(plan.entry.registers.esi, segment(plan, "boot_params").address);
    assertEquals(segment(plan, "kernel segment 0").sizeBytes, 256);
    assertEquals(words(segment(plan, "boot_params").bytes).getUint32(0x202, true), 0x5372_6448);
  }
});

const refused: readonly [claim: string, change: Partial<typeof request>, message: string][] = [
  [
    "an initramfs larger than memory",
    { initrd: new Uint8Array(48 * 0x10_0000) },
    "initramfs of 48 MiB does not fit in memory: the largest free part of " +
    "0x100000-0x80000000 is 46 MiB; give the machine more memory, or use a smaller initramfs",
  ],
  [
    "a machine too small for init_size",
    { memoryMap: pcMap(16) },
    "kernel needs 2 MiB of RAM at 0x1000000, but RAM there ends at 0x1000000; " +
    "give the machine at least 18 MiB of memory",
  ],
  [
    "a command line longer than cmdline_size",
    { commandLine: "x".repeat(2048) },
    "kernel command line is 2048 bytes long; this kernel accepts at most 2047",
  ],
  ["a NUL in the command line", { commandLine: "a\0b" }, "holds a NUL character"],
];

for (const [claim, change, message] of refused) {
  test(`${claim} is refused`, () => {
    assertThrows(() => planBoot({ ...request, ...change }), BootError, message);
  });
}

test("asking for the 64-bit entry of a 32-bit kernel is refused", () => {
  assertThrows(
    () => planBoot({ ...request, kernel: bzImage({ xloadflags: 0 }) }, "linux64"),
    BootError,
    "boot it through protocol linux32",
  );
});
