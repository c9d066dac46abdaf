/**
 * Multiboot 1 kernels, as ELF or with the address fields of the header ("a.out kludge").
 * Source: Multiboot Specification version 0.6.96, sections 3.1 to 3.3.
 */

import { BootError, hex } from "./boot_error.ts";
import { type BootRequest, claimElf } from "./boot_request.ts";
import { isElf, parseElf } from "./elf.ts";
import { lowPlace, startProtected } from "./flat_state.ts";
import { buildStructure, ByteView, concatBytes, cString, defineLayout } from "./layout.ts";
import { type LoadPlan, type LoadSegment, ramSegment } from "./load_plan.ts";
import { FreeMemory, type MemoryRange, memoryTypes } from "./memory_map.ts";

/** The Multiboot header, in the first 8192 bytes of the kernel. */
export const multibootHeader = defineLayout("multiboot_header", 48, {
  magic: [0, 4],
  flags: [4, 4],
  checksum: [8, 4],
  header_addr: [12, 4],
  load_addr: [16, 4],
  load_end_addr: [20, 4],
  bss_end_addr: [24, 4],
  entry_addr: [28, 4],
  mode_type: [32, 4],
  width: [36, 4],
  height: [40, 4],
  depth: [44, 4],
});

/** The information that the kernel finds at EBX. */
export const multibootInfo = defineLayout("multiboot_info", 116, {
  flags: [0, 4],
  mem_lower: [4, 4],
  mem_upper: [8, 4],
  boot_device: [12, 4],
  cmdline: [16, 4],
  mods_count: [20, 4],
  mods_addr: [24, 4],
  mmap_length: [44, 4],
  mmap_addr: [48, 4],
  boot_loader_name: [64, 4],
  framebuffer_addr: [88, 8],
  framebuffer_pitch: [96, 4],
  framebuffer_width: [100, 4],
  framebuffer_height: [104, 4],
  framebuffer_bpp: [108, 1],
  framebuffer_type: [109, 1],
});

const moduleEntry = defineLayout("multiboot_module", 16, {
  mod_start: [0, 4],
  mod_end: [4, 4],
  string: [8, 4],
  reserved: [12, 4],
});

const mmapEntry = defineLayout("multiboot_mmap_entry", 24, {
  size: [0, 4],
  base_addr: [4, 8],
  length: [12, 8],
  type: [20, 4],
});

const HEADER_MAGIC = 0x1bad_b002;
const BOOT_MAGIC = 0x2bad_b002;
const HEADER_SEARCH = 8192;
/** Bits 0-15 of the header's flags must be understood; these are. */
const KNOWN_REQUIREMENTS = 0b111;
const ADDRESS_FIELDS = 1 << 16;
/** The size field of a map entry does not count itself. */
const MMAP_SIZE_VALUE = 20;
const COMMAND_LINE_LIMIT = 4095;
const EGA_TEXT = 2;

/** Bits of `multiboot_info.flags` that are set here. */
const infoFlags = {
  memory: 1 << 0,
  cmdline: 1 << 2,
  modules: 1 << 3,
  mmap: 1 << 6,
  bootLoaderName: 1 << 9,
  framebuffer: 1 << 12,
} as const;

/** The offset of a valid Multiboot header in `kernel`, or `null`. */
export function findMultibootHeader(kernel: Uint8Array): number | null {
  const view = new ByteView(kernel, "Multiboot kernel");
  const end = Math.min(kernel.length, HEADER_SEARCH) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.get(multibootHeader, "magic", offset) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.get(multibootHeader, "flags", offset) +
      view.get(multibootHeader, "checksum", offset);
    if (sum % 2 ** 32 === 0) return offset;
  }
  return null;
}

/** Plans a Multiboot kernel; throws {@link BootError} if it is not one or asks for the unknown. */
export function planMultiboot(request: BootRequest): LoadPlan {
  const header = findMultibootHeader(request.kernel);
  if (header === null) {
    throw new BootError(
      `kernel has no Multiboot header in its first ${HEADER_SEARCH} bytes, ` +
        `expected magic ${hex(HEADER_MAGIC)} with a matching checksum`,
    );
  }
  const view = new ByteView(request.kernel, "Multiboot kernel");
  const flags = view.get(multibootHeader, "flags", header);
  if ((flags & 0xffff & ~KNOWN_REQUIREMENTS) !== 0) {
    throw new BootError(
      `Multiboot kernel requires features ${hex(flags & 0xffff)}, ` +
        "expected only page alignment, memory information and video mode (bits 0 to 2)",
    );
  }
  const memory = new FreeMemory(request.memoryMap);
  const kernel = (flags & ADDRESS_FIELDS) !== 0
    ? claimAddressFields(memory, view, header)
    : claimElfKernel(memory, request.kernel);
  const info = placeInfo(memory, request, Math.max(...kernel.segments.map(segmentEnd)));
  const start = startProtected(memory, kernel.entry, { eax: BOOT_MAGIC, ebx: info.address });
  return {
    protocol: "multiboot",
    segments: [...kernel.segments, ...info.segments, ...start.segments],
    entry: start.entry,
  };
}

interface PlacedKernel {
  readonly entry: number;
  readonly segments: readonly LoadSegment[];
}

function segmentEnd({ address, sizeBytes }: LoadSegment): number {
  return address + sizeBytes;
}

function claimElfKernel(memory: FreeMemory, kernel: Uint8Array): PlacedKernel {
  if (!isElf(kernel)) {
    throw new BootError(
      "Multiboot kernel is neither ELF nor has the address fields in its header (flag bit 16)",
    );
  }
  const elf = parseElf(kernel, "Multiboot kernel");
  return { entry: elf.entry, segments: claimElf(memory, elf, "kernel") };
}

/** Loads as the address fields of the header say (section 3.1.3). */
function claimAddressFields(memory: FreeMemory, view: ByteView, header: number): PlacedKernel {
  const get = (field: keyof typeof multibootHeader.fields) =>
    view.get(multibootHeader, field, header);
  const load = get("load_addr");
  const fileStart = header - (get("header_addr") - load);
  const loadBytes = get("load_end_addr") === 0
    ? view.bytes.length - fileStart
    : get("load_end_addr") - load;
  if (fileStart < 0 || loadBytes <= 0) {
    throw new BootError(
      `Multiboot kernel is corrupt: its header at ${hex(get("header_addr"))} does not fit load ` +
        `addresses ${hex(load)}-${hex(get("load_end_addr"))}`,
    );
  }
  const bytes = view.slice(fileStart, loadBytes, "the loaded part");
  const sizeBytes = Math.max(loadBytes, get("bss_end_addr") - load);
  const address = memory.claim("kernel", load, sizeBytes);
  return {
    entry: get("entry_addr"),
    segments: [ramSegment("kernel", address, bytes, sizeBytes)],
  };
}

/** Places modules (from `modulesFrom` bytes up), strings, memory map and the information itself. */
function placeInfo(
  memory: FreeMemory,
  request: BootRequest,
  modulesFrom: number,
): { address: number; segments: LoadSegment[] } {
  const segments: LoadSegment[] = [];
  const put = (name: string, bytes: Uint8Array) => {
    segments.push(ramSegment(name, lowPlace(memory, name, bytes.length), bytes));
    return segments[segments.length - 1].address;
  };
  const putText = (name: string, text: string) =>
    put(name, cString(text, name, COMMAND_LINE_LIMIT));
  const first = request.initrd ? [{ bytes: request.initrd, commandLine: "" }] : [];
  const modules = [...first, ...request.modules ?? []].map(({ bytes, commandLine = "" }, index) => {
    const name = `module ${index}`;
    const address = memory.place({ name, sizeBytes: bytes.length, from: modulesFrom });
    segments.push(ramSegment(name, address, bytes));
    return buildStructure(moduleEntry, {
      mod_start: address,
      mod_end: address + bytes.length,
      string: putText(`command line of ${name}`, commandLine),
    });
  });
  const map = memoryMapBytes(request.memoryMap);
  const address = put(
    "multiboot_info",
    buildStructure(multibootInfo, {
      flags: Object.values(infoFlags).reduce((all, bit) => all | bit, 0),
      ...memorySizes(request.memoryMap),
      cmdline: putText("kernel command line", request.commandLine ?? ""),
      mods_count: modules.length,
      mods_addr: modules.length > 0 ? put("module list", concatBytes(modules)) : 0,
      mmap_length: map.length,
      mmap_addr: put("memory map", map),
      boot_loader_name: putText("boot loader name", "xenarium"),
      framebuffer_addr: 0xb_8000,
      framebuffer_pitch: 160,
      framebuffer_width: 80,
      framebuffer_height: 25,
      framebuffer_bpp: 16,
      framebuffer_type: EGA_TEXT,
    }),
  );
  return { address, segments };
}

/** KiB of usable memory from 0, and from 1 MiB, each up to its first hole. */
function memorySizes(map: readonly MemoryRange[]): { mem_lower: number; mem_upper: number } {
  const memory = new FreeMemory(map);
  const lower = memory.usableEnd(0) ?? 0;
  const upper = Math.min(memory.usableEnd(0x10_0000) ?? 0x10_0000, 0x1_0000_0000);
  return {
    mem_lower: Math.floor(Math.min(lower, 0xa_0000) / 1024),
    mem_upper: Math.floor((upper - 0x10_0000) / 1024),
  };
}

function memoryMapBytes(map: readonly MemoryRange[]): Uint8Array {
  return concatBytes(map.map(({ address, sizeBytes, type }) =>
    buildStructure(mmapEntry, {
      size: MMAP_SIZE_VALUE,
      base_addr: address,
      length: sizeBytes,
      type: memoryTypes[type],
    })
  ));
}
