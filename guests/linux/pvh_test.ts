import { assert, assertEquals, assertThrows } from "@std/assert";
import { physical } from "../../core/lib/brand.ts";
import { test } from "../../core/lib/testing.ts";
import { planBoot } from "./boot.ts";
import { BootError } from "./boot_error.ts";
import type { LoadPlan } from "./load_plan.ts";
import { elfImage, pattern, pcMap, pvhImage } from "./test_images.ts";

const request = {
  kernel: pvhImage(),
  memoryMap: pcMap(64),
  commandLine: "console=hvc0",
  initrd: pattern(5000),
  modules: [{ bytes: pattern(100, 7), commandLine: "second" }],
  acpiRsdp: physical(0xe_0000),
};

/** The bytes of the plan at a guest-physical address. */
function memoryAt(plan: LoadPlan, address: number): DataView {
  const found = plan.segments.find((part) => part.address === address);
  assert(found, `nothing at 0x${address.toString(16)}`);
  return new DataView(found.bytes.buffer, found.bytes.byteOffset, found.bytes.byteLength);
}

function textAt(plan: LoadPlan, address: number): string {
  const view = memoryAt(plan, address);
  return String.fromCharCode(
    ...Array.from({ length: view.byteLength }, (_, i) => view.getUint8(i)),
  );
}

test("a kernel with a PVH note starts there with hvm_start_info in EBX", () => {
  const plan = planBoot(request);
  assertEquals(plan.protocol, "pvh");
  assert(plan.entry.kind === "protected32");
  assertEquals(plan.entry.instructionPointer, 0x100_0020);
  assertEquals([plan.entry.cr0, plan.entry.cr4, plan.entry.eflags], [0x11, 0, 2]);
  assertEquals([plan.entry.task.limit, plan.entry.task.accessRights], [0x67, 0x8b]);
  const info = memoryAt(plan, plan.entry.registers.ebx!);
  const u32 = (at: number) => info.getUint32(at, true);
  const u64 = (at: number) => Number(info.getBigUint64(at, true));
  assertEquals([u32(0), u32(4), u32(8), u32(12)], [0x336e_c578, 1, 0, 2]);
  assertEquals(textAt(plan, u64(24)), "console=hvc0\0");
  assertEquals(u64(32), 0xe_0000);
  assertEquals([u32(48), u32(52)], [4, 0]);

  const list = memoryAt(plan, u64(16));
  const field = (at: number) => Number(list.getBigUint64(at, true));
  assertEquals([field(0), field(8)], [0x3ff_e000, 5000]);
  assertEquals([field(32), field(40)], [0x3ff_d000, 100]);
  assertEquals(textAt(plan, field(48)), "second\0");
  assertEquals(memoryAt(plan, field(32)).getUint8(0), 7);

  const map = memoryAt(plan, u64(40));
  assertEquals(
    [map.getBigUint64(72, true), map.getBigUint64(80, true), map.getUint32(88, true)],
    [0x10_0000n, 0x3f0_0000n, 1],
  );
});

test("without modules the module list is empty and its address zero", () => {
  const plan = planBoot({ kernel: pvhImage(), memoryMap: pcMap(64) });
  assert(plan.entry.kind === "protected32");
  const info = memoryAt(plan, plan.entry.registers.ebx!);
  assertEquals([info.getUint32(12, true), info.getBigUint64(16, true)], [0, 0n]);
});

test("asking for PVH of a kernel without the note is refused", () => {
  assertThrows(
    () => planBoot({ kernel: elfImage(), memoryMap: pcMap() }, "pvh"),
    BootError,
    "ELF kernel has no PVH entry (note XEN_ELFNOTE_PHYS32_ENTRY)",
  );
});

test("a kernel whose segments lie outside RAM is refused", () => {
  assertThrows(
    () => planBoot({ kernel: pvhImage(), memoryMap: pcMap(8) }),
    BootError,
    "kernel segment 0 goes to 0x1000000-0x1000100, which is not RAM in this machine",
  );
});
