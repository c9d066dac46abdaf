/**
 * The PVH boot protocol: an ELF kernel names a 32-bit entry in a note and gets a `hvm_start_info`.
 * Sources: Xen public headers elfnote.h, arch-x86/hvm/start_info.h; "x86/HVM direct boot ABI".
 */

import { BootError } from "./boot_error.ts";
import { type BootRequest, claimElf, placeInitrd } from "./boot_request.ts";
import { type Elf, parseElf } from "./elf.ts";
import { lowPlace, startProtected } from "./flat_state.ts";
import { buildStructure, ByteView, concatBytes, cString, defineLayout } from "./layout.ts";
import { type LoadPlan, type LoadSegment, ramSegment } from "./load_plan.ts";
import { FreeMemory, memoryTypes } from "./memory_map.ts";

const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const XEN_HVM_START_MAGIC_VALUE = 0x336e_c578;
/** Longer than any kernel takes; the ABI states no limit. */
const COMMAND_LINE_LIMIT = 4095;
const FOUR_GIB = 0x1_0000_0000;

/** `struct hvm_start_info`, version 1. */
export const hvmStartInfo = defineLayout("hvm_start_info", 56, {
  magic: [0, 4],
  version: [4, 4],
  flags: [8, 4],
  nr_modules: [12, 4],
  modlist_paddr: [16, 8],
  cmdline_paddr: [24, 8],
  rsdp_paddr: [32, 8],
  memmap_paddr: [40, 8],
  memmap_entries: [48, 4],
  reserved: [52, 4],
});

/** `struct hvm_modlist_entry`. */
export const hvmModlistEntry = defineLayout("hvm_modlist_entry", 32, {
  paddr: [0, 8],
  size: [8, 8],
  cmdline_paddr: [16, 8],
  reserved: [24, 8],
});

/** `struct hvm_memmap_table_entry`. */
export const hvmMemmapEntry = defineLayout("hvm_memmap_table_entry", 24, {
  addr: [0, 8],
  size: [8, 8],
  type: [16, 4],
  reserved: [20, 4],
});

/** The address in XEN_ELFNOTE_PHYS32_ENTRY, or `null` if the kernel has no such note. */
export function pvhEntry(elf: Elf): number | null {
  const note = elf.notes.find(({ name, type }) =>
    name === "Xen" && type === XEN_ELFNOTE_PHYS32_ENTRY
  );
  if (!note) return null;
  const view = new ByteView(note.descriptor, "PVH entry note");
  const entry = view.read(0, note.descriptor.length >= 8 ? 8 : 4, "the entry address");
  if (entry >= FOUR_GIB) {
    throw new BootError(`PVH entry note names 0x${entry.toString(16)}, expected it below 4 GiB`);
  }
  return entry;
}

/** Plans an ELF kernel through its PVH entry; throws {@link BootError} if it has none. */
export function planPvh(request: BootRequest): LoadPlan {
  const elf = parseElf(request.kernel);
  const entry = pvhEntry(elf);
  if (entry === null) {
    throw new BootError(
      "ELF kernel has no PVH entry (note XEN_ELFNOTE_PHYS32_ENTRY), expected a kernel built with " +
        "CONFIG_PVH; boot its bzImage instead",
    );
  }
  const memory = new FreeMemory(request.memoryMap);
  const kernel = claimElf(memory, elf, "kernel");
  const modules = placeModules(memory, request);
  const info = placeStartInfo(memory, request, modules);
  const start = startProtected(memory, entry, { ebx: info.address });
  return {
    protocol: "pvh",
    segments: [
      ...kernel,
      ...modules.flatMap(({ segment, commandLine }) => [segment, commandLine]),
      ...info.segments,
      ...start.segments,
    ],
    entry: start.entry,
  };
}

interface PlacedModule {
  readonly segment: LoadSegment;
  readonly commandLine: LoadSegment;
}

/** Modules in the order of the list; the first one is Linux's initramfs. */
function placeModules(memory: FreeMemory, request: BootRequest): PlacedModule[] {
  const first = request.initrd ? [{ bytes: request.initrd, commandLine: "" }] : [];
  return [...first, ...request.modules ?? []].map(({ bytes, commandLine = "" }, index) => {
    const segment = placeInitrd(memory, { ...request, initrd: bytes }, FOUR_GIB);
    if (!segment) throw new BootError(`module ${index} is empty, expected at least one byte`);
    return {
      segment,
      commandLine: textSegment(memory, `command line of module ${index}`, commandLine),
    };
  });
}

function textSegment(memory: FreeMemory, name: string, text: string): LoadSegment {
  const bytes = cString(text, name, COMMAND_LINE_LIMIT);
  return ramSegment(name, lowPlace(memory, name, bytes.length), bytes);
}

function placeStartInfo(
  memory: FreeMemory,
  request: BootRequest,
  modules: readonly PlacedModule[],
): { address: number; segments: LoadSegment[] } {
  const place = (name: string, bytes: Uint8Array) =>
    ramSegment(name, lowPlace(memory, name, bytes.length), bytes);
  const commandLine = textSegment(memory, "kernel command line", request.commandLine ?? "");
  const map = place("PVH memory map", memoryMapBytes(request));
  const list = place("PVH module list", moduleListBytes(modules));
  const info = place(
    "hvm_start_info",
    buildStructure(hvmStartInfo, {
      magic: XEN_HVM_START_MAGIC_VALUE,
      version: 1,
      nr_modules: modules.length,
      modlist_paddr: modules.length > 0 ? list.address : 0,
      cmdline_paddr: commandLine.address,
      rsdp_paddr: request.acpiRsdp ?? 0,
      memmap_paddr: map.address,
      memmap_entries: request.memoryMap.length,
    }),
  );
  return { address: info.address, segments: [commandLine, map, list, info] };
}

function memoryMapBytes(request: BootRequest): Uint8Array {
  return concatBytes(
    request.memoryMap.map(({ address, sizeBytes, type }) =>
      buildStructure(hvmMemmapEntry, { addr: address, size: sizeBytes, type: memoryTypes[type] })
    ),
  );
}

/** The module list, with one spare entry so that it is never empty. */
function moduleListBytes(modules: readonly PlacedModule[]): Uint8Array {
  const entries = modules.map(({ segment, commandLine }) =>
    buildStructure(hvmModlistEntry, {
      paddr: segment.address,
      size: segment.bytes.length,
      cmdline_paddr: commandLine.address,
    })
  );
  return concatBytes([...entries, buildStructure(hvmModlistEntry, {})]);
}
