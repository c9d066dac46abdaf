import { assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import type { FirmwareTables } from "../firmware_tables.ts";
import { buildAcpiTables, placeTables } from "../acpi/mod.ts";
import { FwCfgDevice, type FwCfgWiring } from "./fw_cfg_device.ts";

function board(extra: Partial<FwCfgWiring> = {}) {
  const ports = new IoSpace();
  const memory = new Uint8Array(0x20000);
  const dma = {
    readDma: (address: PhysicalAddress, into: Uint8Array) =>
      into.set(memory.subarray(address, address + into.length)),
    writeDma: (address: PhysicalAddress, bytes: Uint8Array) => memory.set(bytes, address),
  };
  const device = new FwCfgDevice({
    ports,
    dma,
    memoryBytes: 0x1_8000_0000,
    cpus: 2,
    maxCpus: 4,
    memoryMap: [
      { address: 0, sizeBytes: 0xc000_0000, type: 1 },
      { address: 0x1_0000_0000, sizeBytes: 0xc000_0000, type: 1 },
    ],
    ...extra,
  });
  const read = (selector: number, count: number) => {
    ports.write(0x510, 2, selector);
    return Uint8Array.from({ length: count }, () => ports.read(0x511, 1));
  };
  const files = () => {
    const count = new DataView(read(0x19, 4).buffer).getUint32(0);
    const view = new DataView(read(0x19, 4 + 64 * count).buffer);
    const found = new Map<string, Uint8Array>();
    for (let offset = 4; offset < view.byteLength; offset += 64) {
      let name = "";
      for (let at = offset + 8; view.getUint8(at) !== 0; at++) {
        name += String.fromCharCode(view.getUint8(at));
      }
      found.set(name, read(view.getUint16(offset + 4), view.getUint32(offset)));
    }
    return found;
  };
  return { ports, device, read, files, memory };
}

/** Items: selector, bytes as hex. */
const items: readonly (readonly [string, number, string])[] = [
  ["signature", 0x00, "51 45 4d 55"],
  ["id", 0x01, "03 00 00 00"],
  ["RAM size", 0x03, "00 00 00 80 01 00 00 00"],
  ["CPU count", 0x05, "02 00"],
  ["maximum CPU count", 0x0f, "04 00"],
  ["IRQ 0 override", 0x8002, "01 00 00 00"],
  ["signature through the old write channel", 0x4000, "51 45 4d 55 00"],
  ["unknown item", 0x1234, "00 00"],
];

for (const [name, selector, expected] of items) {
  test(`fw_cfg gives the ${name}`, () => {
    const bytes = board().read(selector, expected.split(" ").length);
    assertEquals([...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" "), expected);
  });
}

test("fw_cfg lists files by name, with memory map and boot order", () => {
  const { files } = board({
    bootOrder: ["/pci@i0cf8/ide@1,1/drive@0/disk@0", "HALT"],
    files: new Map([["etc/zeta", Uint8Array.of(7)]]),
  });
  const found = files();
  assertEquals([...found.keys()], ["bootorder", "etc/e820", "etc/zeta"]);
  const e820 = new DataView(found.get("etc/e820")!.buffer);
  assertEquals(
    [e820.byteLength, e820.getBigUint64(20, true), e820.getBigUint64(28, true)],
    [40, 0x1_0000_0000n, 0xc000_0000n],
  );
  assertEquals(e820.getUint32(36, true), 1);
  assertEquals(
    String.fromCharCode(...found.get("bootorder")!),
    "/pci@i0cf8/ide@1,1/drive@0/disk@0\nHALT\0",
  );
});

test("fw_cfg DMA register shows its signature", () => {
  const { ports } = board();
  assertEquals([ports.read(0x514, 4), ports.read(0x518, 4)], [0x554d4551, 0x47464320]);
  const without = board({ dma: undefined });
  assertEquals([without.ports.read(0x514, 4), without.read(1, 1)[0]], [0xffffffff, 1]);
});

/** A DMA access: control, length, target; then control afterwards and the bytes at the target. */
const accesses: readonly (readonly [string, number, number, number, number, readonly number[]])[] =
  [
    ["reads a selected item", 0x0000_000a, 4, 0x2000, 0, [0x51, 0x45, 0x4d, 0x55]],
    ["zero-fills past the end", 0x0005_000a, 4, 0x2000, 0, [2, 0, 0, 0]],
    ["refuses to write", 0x0000_0018, 4, 0x2000, 1, [0xee, 0xee, 0xee, 0xee]],
    ["skips", 0x0000_000c, 2, 0x2000, 0, [0xee, 0xee, 0xee, 0xee]],
    ["refuses an endless read", 0x0000_000a, 0xffff_ffff, 0x2000, 1, [0xee, 0xee, 0xee, 0xee]],
  ];

for (const [claim, control, length, target, result, bytes] of accesses) {
  test(`fw_cfg DMA ${claim}`, () => {
    const { ports, memory } = board();
    const view = new DataView(memory.buffer);
    memory.fill(0xee, 0x2000, 0x2010);
    view.setUint32(0x1000, control);
    view.setUint32(0x1004, length);
    view.setUint32(0x1008, 0);
    view.setUint32(0x100c, target);
    ports.write(0x514, 4, 0);
    ports.write(0x518, 4, 0x0010_0000); // 0x1000, big-endian
    assertEquals(view.getUint32(0x1000), result);
    assertEquals([...memory.subarray(target, target + 4)], bytes);
  });
}

test("fw_cfg skip by DMA moves the next read", () => {
  const { ports, memory } = board();
  new DataView(memory.buffer).setUint32(0x1000, 0x0000_000c);
  new DataView(memory.buffer).setUint32(0x1004, 2);
  ports.write(0x518, 4, 0x0010_0000);
  assertEquals([ports.read(0x511, 1), ports.read(0x511, 1)], [0x4d, 0x55]);
});

/** What SeaBIOS does with the script, on byte arrays at given addresses. */
function runLoader(
  files: ReadonlyMap<string, Uint8Array>,
  addresses: Readonly<Record<string, number>>,
): Map<string, Uint8Array> {
  const script = files.get("etc/table-loader")!;
  const view = new DataView(script.buffer);
  const placed = new Map<string, Uint8Array>();
  const name = (offset: number) =>
    String.fromCharCode(...script.subarray(offset, offset + 56)).replace(/\0+$/, "");
  for (let entry = 0; entry < script.length; entry += 128) {
    const file = name(entry + 4);
    switch (view.getUint32(entry, true)) {
      case 1:
        assertEquals(addresses[file] % view.getUint32(entry + 60, true), 0);
        placed.set(file, files.get(file)!.slice());
        break;
      case 2: {
        const target = new DataView(placed.get(file)!.buffer);
        const offset = view.getUint32(entry + 116, true);
        const value = target.getUint32(offset, true) + addresses[name(entry + 60)];
        target.setUint32(offset, value, true);
        break;
      }
      case 3: {
        const bytes = placed.get(file)!;
        const start = view.getUint32(entry + 64, true);
        const end = start + view.getUint32(entry + 68, true);
        const sum = bytes.subarray(start, end).reduce((total, byte) => total + byte, 0);
        bytes[view.getUint32(entry + 60, true)] -= sum;
        break;
      }
      default:
        throw new Error(`unknown command in entry at ${entry}`);
    }
  }
  return placed;
}

test("fw_cfg table loader links ACPI tables as a direct placement does", () => {
  const tables: FirmwareTables = buildAcpiTables({ processors: [{ apicId: 0 }, { apicId: 1 }] });
  const placed = runLoader(board({ tables }).files(), {
    "etc/acpi/rsdp": 0xf5b40,
    "etc/acpi/tables": 0x7fe0000,
  });
  const direct = placeTables(tables, { rsdp: physical(0xf5b40), tables: physical(0x7fe0000) });
  assertEquals(placed.get("etc/acpi/rsdp"), direct.parts[0].bytes);
  assertEquals(placed.get("etc/acpi/tables"), direct.parts[1].bytes);
});

test("fw_cfg continues from a snapshot in the middle of an item", () => {
  const first = board();
  first.read(0x00, 2);
  const second = board();
  second.device.restore(first.device.save());
  assertEquals([second.ports.read(0x511, 1), second.ports.read(0x510, 2)], [0x4d, 0]);
});

test("fw_cfg refuses a file name that does not fit", () => {
  const files = new Map([["x".repeat(56), new Uint8Array(1)]]);
  assertThrows(() => board({ files }), RangeError, "at most 55 characters");
});
