/** From a user's options, and the images that they name, to what a machine is made of. */

import { physical } from "../../core/lib/brand.ts";
import { writeMsrValue } from "../../core/x86/system/mod.ts";
import { DiskImage, memoryBase } from "../../devices/disk/mod.ts";
import type { BoardChoices } from "../../devices/board/mod.ts";
import {
  type BootModule,
  type KernelCode,
  pcMemoryMap,
  planBoot,
  planRom,
} from "../../guests/linux/mod.ts";
import type { MachineNetwork, MachineOptions } from "../machine_api.ts";
import { kernelCodeOf } from "../kernel_code.ts";
import { applyEntry } from "./entry_state.ts";
import { type MachineImages, readImages } from "../machine_images.ts";
import type { PcMachine } from "./machine.ts";
import { checkOptions } from "./option_checks.ts";

const DEFAULT_MAC = "52:54:00:12:34:56";
/** IA32_MTRR_DEF_TYPE: write-back by default, MTRRs enabled, as firmware leaves it. */
const MTRR_DEF_TYPE = { number: 0x2ff, value: 0x806 };

/** What a machine is made of. */
export interface MachineParts {
  readonly name: string;
  readonly options: MachineOptions;
  readonly images: MachineImages;
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

/** What a machine of `options` is made of; `images` are what they name if they were read before. */
export async function gatherParts(
  options: MachineOptions,
  name: string,
  images?: MachineImages,
): Promise<MachineParts> {
  const { memoryBytes, cpus, checkpointBytes } = checkOptions(options);
  const all = images ?? await readImages(options);
  const { boot, disks, cdrom } = all;
  return {
    name,
    options,
    images: all,
    memoryBytes,
    cpus,
    checkpointBytes,
    board: (network) => ({
      firmware: boot.kind === "rom" ? "bios" : "none",
      disks: disks.map((bytes) => new DiskImage(memoryBase(bytes))),
      cdrom: cdrom === null ? null : memoryBase(cdrom),
      vgabios: boot.kind === "rom" ? boot.vgabios : null,
      nic: network && { mac: DEFAULT_MAC, port: network.lan.attach(name) },
    }),
    ...(boot.kind === "rom" ? romStart(boot.bios) : kernelStart(options, boot)),
  };
}

function kernelStart(
  options: MachineOptions,
  { kernel, initrd, modules: images }: MachineImages["boot"] & { readonly kind: "kernel" },
): Start {
  const modules: BootModule[] = images.map((bytes, i) => ({
    bytes,
    commandLine: options.modules?.[i].commandLine,
  }));
  const start = (machine: PcMachine) => {
    const { acpiRsdp, reserved } = machine.board.prepareDirectBoot();
    const { ramBytes, lowRamBytes } = machine.machineMemory.plan;
    const plan = planBoot({
      kernel,
      initrd: initrd ?? undefined,
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
  return { start, kernelCode: () => code === undefined ? code = kernelCodeOf(kernel) : code };
}

function romStart(image: Uint8Array): Start {
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
