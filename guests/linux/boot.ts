/** One door for all kernels: recognises what the bytes are and plans the boot, or says what is wrong. */

import { unreachable } from "../../core/lib/assert.ts";
import { BootError } from "./boot_error.ts";
import type { BootRequest } from "./boot_request.ts";
import { isBzImage, parseBzImage } from "./bzimage.ts";
import { isElf, parseElf } from "./elf.ts";
import { planBzImage, planVmlinux } from "./linux_boot.ts";
import type { BootProtocol, LoadPlan } from "./load_plan.ts";
import { findMultibootHeader, planMultiboot } from "./multiboot.ts";
import { planPvh, pvhEntry } from "./pvh.ts";

/** The protocols for kernels; a ROM image is asked for by its own function. */
export type KernelProtocol = Exclude<BootProtocol, "rom">;

/**
 * Plans the boot of `request.kernel` through `protocol`, or through the best one that it offers: the
 * 64-bit entry of a bzImage before its 32-bit one; PVH, then Multiboot, then direct entry for ELF.
 * Throws {@link BootError}.
 */
export function planBoot(request: BootRequest, protocol?: KernelProtocol): LoadPlan {
  const chosen = protocol ?? detectProtocol(request);
  const takesModules = chosen === "pvh" || chosen === "multiboot";
  if (!takesModules && (request.modules ?? []).length > 0) {
    throw new BootError(
      `protocol ${chosen} takes an initramfs but no modules; join them into one initramfs`,
    );
  }
  switch (chosen) {
    case "linux64":
      return planBzImage(request, 64);
    case "linux32":
      return planBzImage(request, 32);
    case "vmlinux":
      return planVmlinux(request);
    case "pvh":
      return planPvh(request);
    case "multiboot":
      return planMultiboot(request);
    default:
      return unreachable(chosen, "boot protocol");
  }
}

/** The protocol through which `request.kernel` is best entered; throws {@link BootError} if none. */
export function detectProtocol(request: BootRequest): KernelProtocol {
  const { kernel, longMode = true } = request;
  if (kernel.length === 0) throw new BootError("kernel image is empty");
  if (isBzImage(kernel)) {
    const wide = parseBzImage(kernel).has64BitEntry;
    if (wide && !longMode) throw needsLongMode();
    return wide ? "linux64" : "linux32";
  }
  if (isElf(kernel)) {
    const elf = parseElf(kernel);
    if (elf.bits === 64 && !longMode) throw needsLongMode();
    if (pvhEntry(elf) !== null) return "pvh";
    return findMultibootHeader(kernel) !== null ? "multiboot" : "vmlinux";
  }
  if (findMultibootHeader(kernel) !== null) return "multiboot";
  throw new BootError(
    `kernel image is ${
      guessFormat(kernel)
    }; expected a bzImage, an ELF kernel or a Multiboot kernel`,
  );
}

function needsLongMode(): BootError {
  return new BootError("kernel is 64-bit, but this CPU model has no long mode; use an i386 kernel");
}

interface Signature {
  readonly offset: number;
  readonly bytes: readonly number[];
  readonly what: string;
}

/** What people pass by mistake. */
const signatures: readonly Signature[] = [
  { offset: 0x38, bytes: [0x41, 0x52, 0x4d, 0x64], what: "a Linux Image for arm64, not x86" },
  {
    offset: 0x30,
    bytes: [0x52, 0x49, 0x53, 0x43, 0x56],
    what: "a Linux Image for RISC-V, not x86",
  },
  { offset: 0x24, bytes: [0x18, 0x28, 0x6f, 0x01], what: "a Linux zImage for 32-bit ARM, not x86" },
  { offset: 4, bytes: [0x7a, 0x69, 0x6d, 0x67], what: "an EFI zboot image; unpack it first" },
  { offset: 0, bytes: [0x1f, 0x8b], what: "gzip data; unpack it first" },
  { offset: 0, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], what: "xz data; unpack it first" },
  { offset: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd], what: "zstd data; unpack it first" },
  { offset: 0, bytes: [0x30, 0x37, 0x30, 0x37, 0x30], what: "a cpio archive (an initramfs?)" },
  {
    offset: 0,
    bytes: [0x21, 0x3c, 0x61, 0x72, 0x63, 0x68],
    what: "an ar archive (a .deb package?)",
  },
  { offset: 0, bytes: [0x27, 0x05, 0x19, 0x56], what: "a U-Boot image" },
  { offset: 0, bytes: [0x4d, 0x5a], what: "an EFI or DOS program" },
];

function guessFormat(kernel: Uint8Array): string {
  const match = signatures.find(({ offset, bytes }) =>
    bytes.every((byte, index) => kernel[offset + index] === byte)
  );
  if (match) return match.what;
  const start = [...kernel.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `of an unknown format (${kernel.length} bytes, beginning with ${start.join(" ")})`;
}
