/**
 * Kernels, modules and ROM images into machines: pure functions from bytes to a {@link LoadPlan}.
 * Nothing here touches a machine or reads a file.
 *
 * ```ts ignore
 * const plan = planBoot({ kernel, initrd, commandLine: "console=ttyS0", memoryMap: pcMemoryMap({ ramBytes }) });
 * ```
 */

export { detectProtocol, type KernelProtocol, planBoot } from "./boot.ts";
export { BootError } from "./boot_error.ts";
export type { BootRequest } from "./boot_request.ts";
export { type BzImage, isBzImage, parseBzImage } from "./bzimage.ts";
export { type CpioEntry, type CpioOptions, readCpio, writeCpio } from "./cpio.ts";
export { type Elf, elfSection, isElf, parseElf } from "./elf.ts";
export { elfFunctions } from "./elf_symbols.ts";
export { kernelCode, type KernelSymbol, readKallsyms } from "./kallsyms.ts";
export { type KernelCode, type NamedPlace, readKernelCode } from "./kernel_code.ts";
export {
  type BootModule,
  type BootProtocol,
  bootProtocols,
  type EntryRegisters,
  type EntryState,
  type LoadPlan,
  type LoadSegment,
  type LongModeEntry,
  type ProtectedEntry,
  type RealModeEntry,
  type SegmentState,
} from "./load_plan.ts";
export { type MemoryRange, type MemoryType, memoryTypes, pcMemoryMap } from "./memory_map.ts";
export { planPv, type PvPlan, type PvRequest, type PvWrite } from "./pv_domain.ts";
export { type PvNotes, pvNotes } from "./pv_notes.ts";
export { type OptionRom, planRom } from "./rom.ts";
export { writeSymbolElf } from "./symbol_elf.ts";
