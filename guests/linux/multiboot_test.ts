import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { planBoot } from "./boot.ts";
import { BootError } from "./boot_error.ts";
import { concatBytes } from "./layout.ts";
import type { LoadPlan } from "./load_plan.ts";
import { elfImage, multibootHeaderBytes, pattern, pcMap } from "./test_images.ts";

const memoryMap = pcMap(16);

function elfKernel(flags = 3): Uint8Array {
  const data = concatBytes([multibootHeaderBytes(flags), pattern(64)]);
  const segments = [{ address: 0x10_0000, data, memoryBytes: 0x2800 }];
  return elfImage({ bits: 32, entry: 0x10_0030, segments });
}

/** A kernel without ELF: 64 bytes before the header, which loads at 1 MiB with 0x1000 bytes in all. */
function flatKernel(loadEnd = 0, headerAddress = 0x10_0040): Uint8Array {
  const addresses = [headerAddress, 0x10_0000, loadEnd, 0x10_1000, 0x10_0010];
  return concatBytes([pattern(64), multibootHeaderBytes(0x1_0003, addresses), pattern(64, 9)]);
}

function memoryAt(plan: LoadPlan, address: number): DataView {
  const found = plan.segments.find((part) => part.address === address);
  assert(found, `nothing at 0x${address.toString(16)}`);
  return new DataView(found.bytes.buffer, found.bytes.byteOffset, found.bytes.byteLength);
}

test("a Multiboot ELF starts at its entry with the magic in EAX and the information in EBX", () => {
  const modules = [{ bytes: pattern(5000), commandLine: "one" }, { bytes: pattern(3) }];
  const plan = planBoot({ kernel: elfKernel(), memoryMap, commandLine: "console=com0", modules });
  assertEquals(plan.protocol, "multiboot");
  assert(plan.entry.kind === "protected32");
  assertEquals([plan.entry.instructionPointer, plan.entry.registers.eax], [0x10_0030, 0x2bad_b002]);
  const info = memoryAt(plan, plan.entry.registers.ebx!);
  const u32 = (at: number) => info.getUint32(at, true);
  assertEquals([u32(0), u32(4), u32(8)], [0x124d, 639, 15 * 1024]);
  assertEquals(memoryAt(plan, u32(16)).getUint32(0, true), 0x736e_6f63);
  assertEquals(u32(20), 2);
  const list = memoryAt(plan, u32(24));
  assertEquals(
    [0, 4, 16, 20].map((at) => list.getUint32(at, true)),
    [0x10_3000, 0x10_3000 + 5000, 0x10_5000, 0x10_5003],
  );
  assertEquals(memoryAt(plan, list.getUint32(8, true)).getUint32(0, true), 0x0065_6e6f);
  const map = memoryAt(plan, u32(48));
  assertEquals(u32(44), 4 * 24);
  assertEquals(
    [
      map.getUint32(72, true),
      map.getBigUint64(76, true),
      map.getBigUint64(84, true),
      map.getUint32(92, true),
    ],
    [20, 0x10_0000n, 0xf0_0000n, 1],
  );
});

test("the address fields of the header place a kernel that is not ELF", () => {
  for (const [loadEnd, loaded] of [[0, 64 + 36 + 64], [0x10_0070, 0x70]]) {
    const plan = planBoot({ kernel: flatKernel(loadEnd), memoryMap });
    assert(plan.entry.kind === "protected32");
    assertEquals(plan.entry.instructionPointer, 0x10_0010);
    const [kernel] = plan.segments;
    assertEquals([kernel.address, kernel.bytes.length, kernel.sizeBytes], [
      0x10_0000,
      loaded,
      0x1000,
    ]);
    assertEquals(kernel.bytes.subarray(0, 64), pattern(64));
  }
});

const broken = concatBytes([multibootHeaderBytes(3).subarray(0, 8), pattern(64)]);
const malformed: readonly [what: string, kernel: Uint8Array, message: string][] = [
  ["a wrong checksum", broken, "kernel has no Multiboot header in its first 8192 bytes"],
  [
    "a header past 8192 bytes",
    concatBytes([new Uint8Array(8192), elfKernel()]),
    "no Multiboot header",
  ],
  [
    "an unknown requirement",
    elfKernel(0x13),
    "requires features 0x13, expected only page alignment",
  ],
  [
    "neither ELF nor address fields",
    multibootHeaderBytes(3),
    "is neither ELF nor has the address fields",
  ],
  ["a header outside its load range", flatKernel(0, 0x20_0000), "does not fit load addresses"],
  ["a load range past the file", flatKernel(0x10_0800), "the loaded part needs bytes 0 to 2048"],
];

for (const [what, kernel, message] of malformed) {
  test(`a Multiboot kernel with ${what} is refused`, () => {
    assertThrows(() => planBoot({ kernel, memoryMap }, "multiboot"), BootError, message);
  });
}
