/** From a user's options to what a machine is made of: files are read, names looked up, mistakes reported. */

import { physical } from "../../core/lib/brand.ts";
import { writeMsrValue } from "../../core/x86/system/mod.ts";
import { DiskImage, memoryBase } from "../../devices/disk/mod.ts";
import type { BoardChoices } from "../../devices/board/mod.ts";
import {
  BootError,
  type BootModule,
  isElf,
  type KernelCode,
  pcMemoryMap,
  planBoot,
  planRom,
  readKernelCode,
} from "../../guests/linux/mod.ts";
import type { ImageSource, MachineNetwork, MachineOptions } from "../machine_api.ts";
import { suggest } from "../suggestion.ts";
import { applyEntry } from "./entry_state.ts";
import type { PcMachine } from "./machine.ts";
import { checkOptions } from "./option_checks.ts";

const DEFAULT_MAC = "52:54:00:12:34:56";
/** IA32_MTRR_DEF_TYPE: write-back by default, MTRRs enabled, as firmware leaves it. */
const MTRR_DEF_TYPE = { number: 0x2ff, value: 0x806 };
const CD_SECTOR_BYTES = 2048;
/** Debian's `seabios` package puts its images here. */
const SEABIOS_FOLDER = "/usr/share/seabios";

/** What a machine is made of. */
export interface MachineParts {
  readonly name: string;
  readonly options: MachineOptions;
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Memory that automatic checkpoints may take, in bytes; 0 for none. */
  readonly checkpointBytes: number;
  /** The board's choices; called once the machine's clock exists. */
  board(network: MachineNetwork | null): BoardChoices;
  /** Puts the kernel or the ROM into place and the first CPU at its entry; called again after a reset. */
  start(machine: PcMachine): void;
  /** Names of the kernel's code, or `null` if there are none; read when they are asked for first. */
  kernelCode(): KernelCode | null;
}

/** How a machine starts, and the names of what it runs. */
type Start = Pick<MachineParts, "start" | "kernelCode">;

/** Reads what the options name; rejects with an error that says which option is wrong and what would be right. */
export async function gatherParts(options: MachineOptions, name: string): Promise<MachineParts> {
  const { memoryBytes, cpus, checkpointBytes } = checkOptions(options);
  const disks = await Promise.all((options.disks ?? []).map(readDisk));
  const cdrom = options.cdrom === undefined ? null : await readCdrom(options.cdrom);
  const start = options.kernel === undefined ? await romStart(options) : await kernelStart(options);
  const vgaRom = options.kernel === undefined
    ? await readSource("bios", `${SEABIOS_FOLDER}/vgabios-stdvga.bin`)
    : null;
  return {
    name,
    options,
    memoryBytes,
    cpus,
    checkpointBytes,
    board: (network) => ({
      firmware: options.kernel === undefined ? "bios" : "none",
      disks: disks.map((bytes) => new DiskImage(memoryBase(bytes))),
      cdrom: cdrom === null ? null : memoryBase(cdrom),
      vgabios: vgaRom,
      nic: network && { mac: DEFAULT_MAC, port: network.lan.attach(name) },
    }),
    ...start,
  };
}

async function kernelStart(options: MachineOptions): Promise<Start> {
  const { kernel, initrd } = await kernelImages(options);
  const modules: BootModule[] = await Promise.all((options.modules ?? []).map(async (module) => ({
    bytes: await readSource("modules", module.image),
    commandLine: module.commandLine,
  })));
  const start = (machine: PcMachine) => {
    const { acpiRsdp, reserved } = machine.board.prepareDirectBoot();
    const { ramBytes, lowRamBytes } = machine.machineMemory.plan;
    const plan = planBoot({
      kernel,
      initrd,
      modules,
      commandLine: options.append ?? "",
      acpiRsdp: physical(acpiRsdp),
      memoryMap: pcMemoryMap({ ramBytes, lowMemoryEnd: lowRamBytes, reserved }),
    });
    for (const segment of plan.segments) {
      machine.machineMemory.writeBytes(segment.address, segment.bytes);
      const rest = segment.sizeBytes - segment.bytes.length;
      if (rest > 0) {
        machine.machineMemory.writeBytes(
          physical(segment.address + segment.bytes.length),
          new Uint8Array(rest),
        );
      }
    }
    const [boot] = machine.processors.cpus;
    for (const cpu of machine.processors.cpus) {
      writeMsrValue(cpu, MTRR_DEF_TYPE.number, MTRR_DEF_TYPE.value, 0);
    }
    boot.apic.setVirtualWireMode();
    applyEntry(boot, plan);
  };
  let code: KernelCode | null | undefined;
  return { start, kernelCode: () => code === undefined ? code = codeOf(kernel) : code };
}

/** The code of a kernel that is ELF; a compressed one hides its names. */
function codeOf(kernel: Uint8Array): KernelCode | null {
  try {
    return isElf(kernel) ? readKernelCode(kernel) : null;
  } catch (error) {
    if (error instanceof BootError) return null;
    throw error;
  }
}

/** The kernel, and the initramfs that goes with it. */
async function kernelImages(
  options: MachineOptions,
): Promise<{ kernel: Uint8Array; initrd?: Uint8Array }> {
  const given = options.initrd === undefined
    ? undefined
    : await readSource("initrd", options.initrd);
  if (typeof options.kernel === "string") {
    const { debian, debianFlavourOf } = await import("../images/mod.ts");
    const flavour = debianFlavourOf(options.kernel);
    if (flavour !== null) {
      const guest = await debian(flavour);
      return { kernel: guest.vmlinux, initrd: given ?? guest.initrd };
    }
  }
  return { kernel: await readSource("kernel", options.kernel!), initrd: given };
}

async function romStart(options: MachineOptions): Promise<Start> {
  const bios = options.bios ?? "seabios";
  const path = bios === "seabios" ? `${SEABIOS_FOLDER}/bios-256k.bin` : bios;
  const image = await readSource("bios", path);
  try {
    planRom(image);
  } catch (error) {
    throw new RangeError(`option bios: ${(error as Error).message}`, { cause: error });
  }
  let placed = false;
  const start = (machine: PcMachine) => {
    if (!placed) machine.board.placeBios(image);
    placed = true;
  };
  return { start, kernelCode: () => null };
}

async function readDisk(source: ImageSource): Promise<Uint8Array> {
  const bytes = await readSource("disk", source);
  if (bytes.length === 0) throw new RangeError(`option disk: ${nameOf(source)} is empty`);
  return bytes;
}

async function readCdrom(source: ImageSource): Promise<Uint8Array> {
  const bytes = await readSource("cdrom", source);
  if (bytes.length === 0 || bytes.length % CD_SECTOR_BYTES !== 0) {
    throw new RangeError(
      `option cdrom: ${nameOf(source)} has ${bytes.length} bytes, expected a multiple of ` +
        `${CD_SECTOR_BYTES} as a CD image has`,
    );
  }
  return bytes;
}

function nameOf(source: ImageSource): string {
  return typeof source === "string" ? source : "the image";
}

/** The bytes of an option: as they are, or read from a file. */
async function readSource(option: string, source: ImageSource): Promise<Uint8Array> {
  if (typeof source !== "string") return source;
  try {
    return await Deno.readFile(source);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(
        `option ${option}: there is no file ${source}${await hintFor(option, source)}`,
      );
    }
    if (error instanceof Deno.errors.IsADirectory) {
      throw new Error(`option ${option}: ${source} is a folder, expected a file`);
    }
    throw new Error(`option ${option}: cannot read ${source}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What may help who named a file that is not there; begins with punctuation. */
async function hintFor(option: string, source: string): Promise<string> {
  if (source.startsWith(SEABIOS_FOLDER)) return "; Debian's package seabios has it";
  if (option !== "kernel" || source.includes("/")) return "";
  const { debianFlavours, debianImageName } = await import("../images/mod.ts");
  const names = Object.keys(debianFlavours).map((flavour) =>
    debianImageName(flavour as keyof typeof debianFlavours)
  );
  return `, and no image of that name; ${suggest(source, ["debian", ...names])}`;
}
