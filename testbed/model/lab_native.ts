/** The ground of a lab on bare hardware: one kernel on all CPUs, which all systems share. */

import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { PLATFORMS } from "../../guests/model/mod.ts";
import { parseSize } from "../units.ts";
import { platformDisk } from "./attach_disk.ts";
import { BareBox } from "./bare_box.ts";
import type { Ground, LabOptions } from "./lab.ts";
import { type LabKernel, labKernel } from "./lab_kernel.ts";

/** Throws `RangeError` or `SyntaxError` for a wrong option. */
export function nativeGround(options: LabOptions): Ground {
  const { cpus = 2, memory = "2GiB", profile = "xeon-2003", seed = 1 } = options;
  const about = profileNamed(profile);
  const costs = new CostTable(about, about.frequencyHz);
  const memoryBytes = parseSize(memory);
  let shared: LabKernel | undefined;
  const { clock, dispatcher } = new BareBox({
    cpus,
    frequencyHz: about.frequencyHz,
    kernel(machine, clock) {
      const platform = PLATFORMS.native(costs, cpus);
      shared = labKernel(
        { name: "native", machine, memoryBytes, seed, platform },
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
    system: () => shared!,
    destroy() {
      throw new RangeError("systems that share a kernel cannot be taken away");
    },
  };
}
