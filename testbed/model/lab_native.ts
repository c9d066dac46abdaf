/**
 * The ground of a lab on bare hardware: one kernel on all CPUs, which all systems share, each perhaps in a resource container
 * of its own.
 */

import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { PLATFORMS } from "../../guests/model/mod.ts";
import { parseSize } from "../units.ts";
import { platformDisk } from "./attach_disk.ts";
import { BareBox } from "./bare_box.ts";
import type { Ground, LabOptions, LabSystemConfig } from "./lab.ts";
import { type LabKernel, labKernel } from "./lab_kernel.ts";

const PAGE_BYTES = 4096;
/** Processes that a container may have. */
const MOST_PROCESSES = 512;

/** Throws `RangeError` or `SyntaxError` for a wrong option. */
export function nativeGround(options: LabOptions): Ground {
  const { cpus = 2, memory = "2GiB", profile = "xeon-2003", seed = 1 } = options;
  const about = profileNamed(profile);
  const costs = new CostTable(about, about.frequencyHz);
  const memoryBytes = parseSize(memory);
  const isContained = options.platform === "containers";
  let shared: LabKernel | undefined;
  const { clock, dispatcher } = new BareBox({
    cpus,
    frequencyHz: about.frequencyHz,
    kernel(machine, clock) {
      const platform = PLATFORMS[isContained ? "containers" : "native"](costs, cpus);
      shared = labKernel(
        { name: options.platform, machine, memoryBytes, seed, platform },
        0,
        (kernel) => platformDisk(kernel, { clock, costs, platform: "native" }),
      );
      return shared.linux.kernel;
    },
  });
  return {
    clock,
    dispatcher,
    costs,
    memoryBytes,
    idOf: () => 0,
    kernels: [shared!.linux.kernel],
    system: (config) => isContained ? contained(shared!, config) : shared!,
    destroy() {
      throw new RangeError("systems that share a kernel cannot be taken away");
    },
  };
}

/** A system in a container of the shared kernel. Throws `RangeError` or `SyntaxError` for a wrong option. */
function contained(shared: LabKernel, { name, memory, weight = 1 }: LabSystemConfig): LabKernel {
  const { containers } = shared.linux.kernel;
  const mappedPages = Math.floor(parseSize(memory) / PAGE_BYTES);
  const id = containers.create({ name, weight, processes: MOST_PROCESSES, mappedPages });
  return {
    ...shared,
    name,
    within(what) {
      containers.spawnInto = id;
      try {
        return what();
      } finally {
        containers.spawnInto = 0;
      }
    },
  };
}
