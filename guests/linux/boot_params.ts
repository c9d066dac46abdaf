/**
 * `struct boot_params`, the "zero page" that a Linux kernel gets in (R)SI.
 * Sources: Linux Documentation/arch/x86/zero-page.rst, include/uapi/linux/screen_info.h.
 */

import { BootError } from "./boot_error.ts";
import { HDRS_MAGIC, SETUP_HEADER_START, setupHeader } from "./bzimage.ts";
import { ByteView, defineLayout } from "./layout.ts";
import { type MemoryRange, memoryTypes } from "./memory_map.ts";

/** The fields of `struct boot_params` outside its setup header that a loader fills in. */
export const bootParams = defineLayout("boot_params", 4096, {
  "screen_info.orig_x": [0x000, 1],
  "screen_info.orig_y": [0x001, 1],
  "screen_info.ext_mem_k": [0x002, 2],
  "screen_info.orig_video_page": [0x004, 2],
  "screen_info.orig_video_mode": [0x006, 1],
  "screen_info.orig_video_cols": [0x007, 1],
  "screen_info.orig_video_ega_bx": [0x00a, 2],
  "screen_info.orig_video_lines": [0x00e, 1],
  "screen_info.orig_video_isVGA": [0x00f, 1],
  "screen_info.orig_video_points": [0x010, 2],
  acpi_rsdp_addr: [0x070, 8],
  ext_ramdisk_image: [0x0c0, 4],
  ext_ramdisk_size: [0x0c4, 4],
  ext_cmd_line_ptr: [0x0c8, 4],
  alt_mem_k: [0x1e0, 4],
  e820_entries: [0x1e8, 1],
  sentinel: [0x1ef, 1],
});

const e820Entry = defineLayout("boot_e820_entry", 20, {
  addr: [0, 8],
  size: [8, 8],
  type: [16, 4],
});
const E820_TABLE = 0x2d0;
/** E820_MAX_ENTRIES_ZEROPAGE. */
const E820_LIMIT = 128;

const LOADER_UNDEFINED = 0xff;
const LOADED_HIGH = 0x01;
const VIDEO_MODE_NORMAL = 0xffff;
const PROTOCOL_2_15 = 0x020f;

/** What a loader tells the kernel. Addresses are guest-physical, sizes in bytes. */
export interface BootParamsInput {
  /** The setup header of the bzImage, or `null` for a vmlinux, which has none. */
  readonly header: Uint8Array | null;
  readonly loadAddress: number;
  readonly commandLineAddress: number;
  readonly initrd: { readonly address: number; readonly sizeBytes: number } | null;
  readonly memoryMap: readonly MemoryRange[];
  /** The ACPI root pointer; `null` lets the kernel search the BIOS area. */
  readonly acpiRsdp: number | null;
}

/** Builds the 4096 bytes of `struct boot_params`. */
export function buildBootParams(input: BootParamsInput): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bootParams.sizeBytes);
  const view = new ByteView(bytes, "boot_params");
  if (input.header) bytes.set(input.header, SETUP_HEADER_START);
  else writePlainHeader(view);
  view.set(setupHeader, "vid_mode", VIDEO_MODE_NORMAL);
  view.set(setupHeader, "type_of_loader", LOADER_UNDEFINED);
  view.set(setupHeader, "code32_start", input.loadAddress);
  view.set(setupHeader, "cmd_line_ptr", input.commandLineAddress);
  if (input.initrd) {
    view.set(setupHeader, "ramdisk_image", input.initrd.address);
    view.set(setupHeader, "ramdisk_size", input.initrd.sizeBytes);
  }
  if (input.acpiRsdp !== null) view.set(bootParams, "acpi_rsdp_addr", input.acpiRsdp);
  writeTextScreen(view);
  writeMemoryMap(view, input.memoryMap);
  return bytes;
}

/** The few header fields that a kernel without a bzImage header looks at. */
function writePlainHeader(view: ByteView): void {
  view.set(setupHeader, "boot_flag", 0xaa55);
  view.set(setupHeader, "header", HDRS_MAGIC);
  view.set(setupHeader, "version", PROTOCOL_2_15);
  view.set(setupHeader, "loadflags", LOADED_HIGH);
}

/** VGA mode 3: 80 columns, 25 lines, characters of 16 scan lines. */
function writeTextScreen(view: ByteView): void {
  view.set(bootParams, "screen_info.orig_video_mode", 3);
  view.set(bootParams, "screen_info.orig_video_cols", 80);
  view.set(bootParams, "screen_info.orig_video_lines", 25);
  view.set(bootParams, "screen_info.orig_video_isVGA", 1);
  view.set(bootParams, "screen_info.orig_video_points", 16);
}

function writeMemoryMap(view: ByteView, map: readonly MemoryRange[]): void {
  if (map.length > E820_LIMIT) {
    throw new BootError(`memory map has ${map.length} ranges, Linux takes at most ${E820_LIMIT}`);
  }
  view.set(bootParams, "e820_entries", map.length);
  map.forEach((range, index) => {
    const base = E820_TABLE + index * e820Entry.sizeBytes;
    view.set(e820Entry, "addr", range.address, base);
    view.set(e820Entry, "size", range.sizeBytes, base);
    view.set(e820Entry, "type", memoryTypes[range.type], base);
  });
}
