/** Small hand-made kernels for the tests of this folder. */

import { physical } from "../../core/lib/brand.ts";
import { setupHeader } from "./bzimage.ts";
import { ByteView, concatBytes, utf8 } from "./layout.ts";
import { type MemoryRange, pcMemoryMap } from "./memory_map.ts";

const MIB = 0x10_0000;

/** A PC with `mebibytes` of RAM. */
export function pcMap(mebibytes = 64): MemoryRange[] {
  return pcMemoryMap({ ramBytes: mebibytes * MIB });
}

/** Bytes `fill`, `fill + 1`, … of the given length. */
export function pattern(length: number, fill = 1): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (fill + index) & 0xff);
}

/** A bzImage of two setup sectors and `code`, with header fields replaced by `fields`. */
export function bzImage(
  fields: Partial<Record<keyof typeof setupHeader.fields, number>> = {},
  code: Uint8Array = pattern(4096),
): Uint8Array<ArrayBuffer> {
  const bytes = concatBytes([new Uint8Array(1536), code]);
  const view = new ByteView(bytes, "test kernel");
  const all = {
    setup_sects: 2,
    syssize: Math.ceil(code.length / 16),
    boot_flag: 0xaa55,
    jump: 0x6aeb,
    header: 0x5372_6448,
    version: 0x020f,
    kernel_version: 0x300,
    loadflags: 1,
    initrd_addr_max: 0x7fff_ffff,
    kernel_alignment: 0x20_0000,
    relocatable_kernel: 1,
    xloadflags: 1,
    cmdline_size: 2047,
    payload_offset: 0x100,
    payload_length: 0x200,
    pref_address: 0x100_0000,
    init_size: 0x20_0000,
    ...fields,
  };
  for (const [field, value] of Object.entries(all)) {
    view.set(setupHeader, field as keyof typeof setupHeader.fields, value);
  }
  bytes.set(utf8("6.1.0-test (builder)\0"), 0x500);
  return bytes;
}

/** One program header of {@link elfImage}. */
export interface TestSegment {
  readonly type?: number;
  readonly address: number;
  /** By default the physical address. */
  readonly virtualAddress?: bigint;
  readonly data: Uint8Array;
  readonly memoryBytes?: number;
  /** Overrides the size in the file. */
  readonly fileBytes?: number;
}

/** What {@link elfImage} builds. */
export interface TestElf {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly bigEndian?: boolean;
  readonly type?: number;
  readonly entry?: number | bigint;
  readonly segments?: readonly TestSegment[];
}

/** An ELF executable written field by field, independently of the parser's tables. */
export function elfImage(elf: TestElf = {}): Uint8Array<ArrayBuffer> {
  const wide = (elf.bits ?? 64) === 64;
  const segments = elf.segments ?? [{ address: 0x100_0000, data: pattern(64), memoryBytes: 256 }];
  const headerBytes = wide ? 64 : 52;
  const phdrBytes = wide ? 56 : 32;
  const header = new DataView(new ArrayBuffer(headerBytes + segments.length * phdrBytes));
  const little = !elf.bigEndian;
  const word = (at: number, value: number | bigint) =>
    wide
      ? header.setBigUint64(at, BigInt(value), little)
      : header.setUint32(at, Number(value), little);
  [0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, elf.bigEndian ? 2 : 1, 1]
    .forEach((byte, at) => header.setUint8(at, byte));
  header.setUint16(16, elf.type ?? 2, little);
  header.setUint16(18, elf.machine ?? (wide ? 62 : 3), little);
  word(24, elf.entry ?? 0x100_0010);
  word(wide ? 32 : 28, headerBytes);
  header.setUint16(wide ? 54 : 42, phdrBytes, little);
  header.setUint16(wide ? 56 : 44, segments.length, little);
  let offset = header.byteLength;
  segments.forEach((segment, index) => {
    const at = headerBytes + index * phdrBytes;
    const sizes = [segment.fileBytes ?? segment.data.length];
    sizes.push(segment.memoryBytes ?? sizes[0]);
    header.setUint32(at, segment.type ?? 1, little);
    const virtual = segment.virtualAddress ?? segment.address;
    [offset, virtual, segment.address, ...sizes].forEach((value, position) =>
      word(at + (wide ? 8 + position * 8 : 4 + position * 4), value)
    );
    offset += segment.data.length;
  });
  return concatBytes([new Uint8Array(header.buffer), ...segments.map(({ data }) => data)]);
}

/** A note segment's bytes. */
export function elfNote(name: string, type: number, descriptor: Uint8Array): Uint8Array {
  const nameBytes = utf8(name + "\0");
  const padded = (bytes: Uint8Array) =>
    concatBytes([bytes, new Uint8Array((4 - bytes.length % 4) % 4)]);
  const header = new Uint32Array([nameBytes.length, descriptor.length, type]);
  return concatBytes([new Uint8Array(header.buffer), padded(nameBytes), padded(descriptor)]);
}

/** An ELF kernel with a PVH entry note. */
export function pvhImage(entry = 0x100_0020): Uint8Array<ArrayBuffer> {
  const descriptor = new Uint8Array(new Uint32Array([entry]).buffer);
  return elfImage({
    segments: [
      { address: 0x100_0000, data: pattern(64), memoryBytes: 256 },
      { type: 4, address: 0, data: elfNote("GNU", 3, pattern(20)) },
      { type: 4, address: 0, data: elfNote("Xen", 18, descriptor) },
    ],
  });
}

/** A Multiboot header of the given flags and address fields, checksum included. */
export function multibootHeaderBytes(flags: number, addresses: readonly number[] = []): Uint8Array {
  const magic = 0x1bad_b002;
  const words = new Uint32Array([magic, flags, -(magic + flags) >>> 0, ...addresses]);
  return concatBytes([new Uint8Array(words.buffer), new Uint8Array((9 - words.length) * 4)]);
}

/** A memory range for maps written out in tests. */
export function usable(address: number, sizeBytes: number): MemoryRange {
  return { address: physical(address), sizeBytes, type: "usable" };
}
