/**
 * Plans for Linux's own boot protocols: bzImage through its 32-bit or 64-bit entry, and a plain vmlinux
 * entered at its ELF entry point (`startup_32`, `startup_64`) with `boot_params`.
 * Source: Linux Documentation/arch/x86/boot.rst, "32-bit Boot Protocol", "64-bit Boot Protocol".
 */

import { BootError, hex, sizeText } from "./boot_error.ts";
import { buildBootParams } from "./boot_params.ts";
import { type BzImage, parseBzImage } from "./bzimage.ts";
import { parseElf } from "./elf.ts";
import { type BootRequest, claimElf, placeInitrd } from "./boot_request.ts";
import { lowPlace, startLong, startProtected } from "./flat_state.ts";
import { cString } from "./layout.ts";
import { type LoadPlan, type LoadSegment, ramSegment } from "./load_plan.ts";
import { FreeMemory } from "./memory_map.ts";

const ENTRY_64_OFFSET = 0x200;
/** What boot.rst and the kernel's COMMAND_LINE_SIZE allow when there is no header to say it. */
const COMMAND_LINE_LIMIT = 2047;
/** The end of the memory that a 32-bit kernel maps directly, as its header would say. */
const INITRD_MAX_32 = 0x37ff_ffff;
const INITRD_MAX_64 = 0x7fff_ffff;

/** Plans a bzImage through the entry of the given width, 32 or 64 bits. */
export function planBzImage(request: BootRequest, bits: 32 | 64): LoadPlan {
  const image = parseBzImage(request.kernel);
  if (bits === 64 && !image.has64BitEntry) {
    throw new BootError(
      "kernel image has no 64-bit entry (XLF_KERNEL_64 is clear); boot it through protocol linux32",
    );
  }
  const memory = new FreeMemory(request.memoryMap);
  const load = claimBzImage(memory, image);
  const info = placeBootInfo(memory, request, {
    header: image.header,
    loadAddress: load.address,
    initrdMax: image.initrdAddressMax,
    commandLineLimit: image.commandLineLimit,
  });
  const start = bits === 64
    ? startLong(memory, load.address + ENTRY_64_OFFSET, { esi: info.address })
    : startProtected(memory, load.address, { esi: info.address });
  return {
    protocol: bits === 64 ? "linux64" : "linux32",
    segments: [load, ...info.segments, ...start.segments],
    entry: start.entry,
  };
}

/** Plans a vmlinux entered at its ELF entry point, in the mode of its ELF class. */
export function planVmlinux(request: BootRequest): LoadPlan {
  const elf = parseElf(request.kernel);
  const memory = new FreeMemory(request.memoryMap);
  const kernel = claimElf(memory, elf, "kernel");
  const info = placeBootInfo(memory, request, {
    header: null,
    loadAddress: Math.min(...kernel.map(({ address }) => address)),
    initrdMax: elf.bits === 64 ? INITRD_MAX_64 : INITRD_MAX_32,
    commandLineLimit: COMMAND_LINE_LIMIT,
  });
  const start = elf.bits === 64
    ? startLong(memory, elf.entry, { esi: info.address })
    : startProtected(memory, elf.entry, { esi: info.address });
  return {
    protocol: "vmlinux",
    segments: [...kernel, ...info.segments, ...start.segments],
    entry: start.entry,
  };
}

/** Puts the kernel at its preferred address and keeps `init_size` bytes there free for it. */
function claimBzImage(memory: FreeMemory, image: BzImage): LoadSegment {
  const { loadAddress, initSizeBytes, code } = image;
  const end = memory.usableEnd(loadAddress);
  if (end === null || loadAddress + initSizeBytes > end) {
    throw new BootError(
      `kernel needs ${sizeText(initSizeBytes)} of RAM at ${
        hex(loadAddress)
      }, but RAM there ends at ` +
        `${hex(end ?? loadAddress)}; give the machine at least ` +
        `${sizeText(loadAddress + initSizeBytes)} of memory`,
    );
  }
  const address = memory.claim("kernel", loadAddress, initSizeBytes);
  return ramSegment("kernel", address, code);
}

interface BootInfoNeeds {
  readonly header: Uint8Array | null;
  readonly loadAddress: number;
  readonly initrdMax: number;
  readonly commandLineLimit: number;
}

/** Places initramfs, command line and `boot_params`; `address` is that of `boot_params`. */
function placeBootInfo(memory: FreeMemory, request: BootRequest, needs: BootInfoNeeds) {
  const segments: LoadSegment[] = [];
  const initrd = placeInitrd(memory, request, needs.initrdMax + 1);
  if (initrd) segments.push(initrd);
  const text = cString(request.commandLine ?? "", "kernel command line", needs.commandLineLimit);
  const commandLine = ramSegment(
    "command line",
    lowPlace(memory, "command line", text.length),
    text,
  );
  const params = buildBootParams({
    header: needs.header,
    loadAddress: needs.loadAddress,
    commandLineAddress: commandLine.address,
    initrd: initrd ? { address: initrd.address, sizeBytes: initrd.bytes.length } : null,
    memoryMap: request.memoryMap,
    acpiRsdp: request.acpiRsdp ?? null,
  });
  const address = lowPlace(memory, "boot_params", params.length);
  segments.push(commandLine, ramSegment("boot_params", address, params));
  return { address, segments };
}
