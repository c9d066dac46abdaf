/**
 * The bzImage file format of Linux: setup header, protected-mode code, compressed payload.
 * Source: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
 */

import { BootError, hex } from "./boot_error.ts";
import { ByteView, defineLayout } from "./layout.ts";

/** The setup header, at its offsets in the file and in `struct boot_params` alike. */
export const setupHeader = defineLayout("setup_header", 0x290, {
  setup_sects: [0x1f1, 1],
  root_flags: [0x1f2, 2],
  syssize: [0x1f4, 4],
  ram_size: [0x1f8, 2],
  vid_mode: [0x1fa, 2],
  root_dev: [0x1fc, 2],
  boot_flag: [0x1fe, 2],
  jump: [0x200, 2],
  header: [0x202, 4],
  version: [0x206, 2],
  realmode_swtch: [0x208, 4],
  start_sys_seg: [0x20c, 2],
  kernel_version: [0x20e, 2],
  type_of_loader: [0x210, 1],
  loadflags: [0x211, 1],
  setup_move_size: [0x212, 2],
  code32_start: [0x214, 4],
  ramdisk_image: [0x218, 4],
  ramdisk_size: [0x21c, 4],
  bootsect_kludge: [0x220, 4],
  heap_end_ptr: [0x224, 2],
  ext_loader_ver: [0x226, 1],
  ext_loader_type: [0x227, 1],
  cmd_line_ptr: [0x228, 4],
  initrd_addr_max: [0x22c, 4],
  kernel_alignment: [0x230, 4],
  relocatable_kernel: [0x234, 1],
  min_alignment: [0x235, 1],
  xloadflags: [0x236, 2],
  cmdline_size: [0x238, 4],
  hardware_subarch: [0x23c, 4],
  hardware_subarch_data: [0x240, 8],
  payload_offset: [0x248, 4],
  payload_length: [0x24c, 4],
  setup_data: [0x250, 8],
  pref_address: [0x258, 8],
  init_size: [0x260, 4],
  handover_offset: [0x264, 4],
  kernel_info_offset: [0x268, 4],
});

/** Where the setup header begins, in the file and in `struct boot_params`. */
export const SETUP_HEADER_START = 0x1f1;
/** "HdrS", the magic number of {@link setupHeader}.header. */
export const HDRS_MAGIC = 0x5372_6448;

const BOOT_FLAG = 0xaa55;
const SECTOR = 512;
const LOADED_HIGH = 0x01;
const XLF_KERNEL_64 = 0x01;
const HIGH_LOAD_ADDRESS = 0x10_0000;
/** Before 2.03 the header has no `initrd_addr_max`: boot.rst names this address. */
const OLD_INITRD_MAX = 0x37ff_ffff;
const OLD_COMMAND_LINE_LIMIT = 255;

/** A parsed bzImage. Fields that its protocol version lacks have the defaults of boot.rst. */
export interface BzImage {
  /** Boot protocol version, major times 256 plus minor: 0x020f is 2.15. */
  readonly protocolVersion: number;
  /** The text of `uname`, for example `6.1.0-1-amd64 (...)`, or an empty string. */
  readonly kernelVersion: string;
  /** The setup header as it stands in the file, from {@link SETUP_HEADER_START}. */
  readonly header: Uint8Array;
  /** What goes to the load address: the protected-mode kernel. */
  readonly code: Uint8Array;
  /** The compressed kernel inside `code`, or `null` before protocol 2.08. */
  readonly payload: Uint8Array | null;
  /** Whether the kernel has the 64-bit entry at load address + 0x200 (XLF_KERNEL_64). */
  readonly has64BitEntry: boolean;
  /** Where the kernel wants to be loaded, in bytes. */
  readonly loadAddress: number;
  /** Memory needed from `loadAddress` before the kernel has its own map, in bytes. */
  readonly initSizeBytes: number;
  /** The last byte that the initramfs may occupy. */
  readonly initrdAddressMax: number;
  /** Longest command line without the closing NUL, in bytes. */
  readonly commandLineLimit: number;
}

/** Whether `bytes` carries the setup header of a Linux kernel. */
export function isBzImage(bytes: Uint8Array): boolean {
  if (bytes.length < 0x206) return false;
  return new ByteView(bytes, "kernel image").get(setupHeader, "header") === HDRS_MAGIC;
}

/** Parses a bzImage; throws {@link BootError} if it is truncated, too old, or not one. */
export function parseBzImage(bytes: Uint8Array, subject = "kernel image"): BzImage {
  const view = new ByteView(bytes, subject);
  const get = (field: keyof typeof setupHeader.fields) => view.get(setupHeader, field);
  if (get("boot_flag") !== BOOT_FLAG || get("header") !== HDRS_MAGIC) {
    throw new BootError(
      `${subject} is not a bzImage: boot flag ${hex(get("boot_flag"))} and magic ` +
        `${hex(get("header"))}, expected ${hex(BOOT_FLAG)} and ${hex(HDRS_MAGIC)} ("HdrS")`,
    );
  }
  const version = get("version");
  if (version < 0x0202) {
    throw new BootError(
      `${subject} has boot protocol ${versionText(version)}, expected 2.02 or later`,
    );
  }
  if ((get("loadflags") & LOADED_HIGH) === 0) {
    throw new BootError(`${subject} is a zImage that loads below 1 MiB, expected a bzImage`);
  }
  const code = protectedModeCode(view, version);
  const since = <T>(minimum: number, value: () => T, old: T) => version >= minimum ? value() : old;
  return {
    protocolVersion: version,
    kernelVersion: kernelVersion(view),
    header: headerBytes(view),
    code,
    payload: since(0x0208, () => payloadOf(view, code), null),
    has64BitEntry: since(0x020c, () => (get("xloadflags") & XLF_KERNEL_64) !== 0, false),
    loadAddress: since(0x020a, () => get("pref_address"), HIGH_LOAD_ADDRESS),
    initSizeBytes: Math.max(since(0x020a, () => get("init_size"), 0), code.length),
    initrdAddressMax: since(0x0203, () => get("initrd_addr_max"), OLD_INITRD_MAX),
    commandLineLimit: since(0x0206, () => get("cmdline_size"), OLD_COMMAND_LINE_LIMIT),
  };
}

/** `0x020f` as `2.15`. */
function versionText(version: number): string {
  return `${version >> 8}.${String(version & 0xff).padStart(2, "0")}`;
}

function protectedModeCode(view: ByteView, version: number): Uint8Array {
  const setupSectors = view.get(setupHeader, "setup_sects") || 4;
  const start = (setupSectors + 1) * SECTOR;
  const paragraphs = view.get(setupHeader, "syssize") % (version >= 0x0204 ? 2 ** 32 : 0x1_0000);
  const available = view.bytes.length - start;
  // syssize counts paragraphs of 16 bytes; the last one need not be full.
  if (available <= 0 || (version >= 0x0204 && available <= paragraphs * 16 - 16)) {
    throw new BootError(
      `${view.subject} is truncated: its header announces ${start + paragraphs * 16} bytes, ` +
        `found ${view.bytes.length}`,
    );
  }
  return view.bytes.subarray(start);
}

function payloadOf(view: ByteView, code: Uint8Array): Uint8Array | null {
  const length = view.get(setupHeader, "payload_length");
  if (length === 0) return null;
  return new ByteView(code, view.subject)
    .slice(view.get(setupHeader, "payload_offset"), length, "the compressed payload");
}

/** The header's end is 0x202 plus the displacement of the jump at 0x200 (boot.rst, 32-bit protocol). */
function headerBytes(view: ByteView): Uint8Array {
  const end = 0x202 + view.read(0x201, 1, "setup_header.jump");
  return view.slice(SETUP_HEADER_START, end - SETUP_HEADER_START, "the setup header");
}

function kernelVersion(view: ByteView): string {
  const pointer = view.get(setupHeader, "kernel_version");
  if (pointer === 0) return "";
  const text: number[] = [];
  const start = pointer + 0x200;
  for (let at = start; at < view.bytes.length && at < start + 256; at++) {
    if (view.bytes[at] === 0) break;
    text.push(view.bytes[at]);
  }
  return String.fromCharCode(...text);
}
