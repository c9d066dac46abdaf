/** The ground of a lab under the hypervisor: a domain for each system, with a part of the one disk. */

import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { Host } from "../host/host.ts";
import type { ModelledDomain, ModelPlace } from "../host/modelled_domains.ts";
import { parseSize } from "../units.ts";
import type { Ground, LabOptions } from "./lab.ts";
import { type LabKernel, labKernel } from "./lab_kernel.ts";
import { sharedDisk } from "./ring_disk.ts";
import { installVirtualCard } from "./ring_nic.ts";
import { hypervisorDisk } from "./hypervisor_disk.ts";

/** BVT's parameter for a weight of 1 (`mcu_adv` is an inverse weight). */
const MCU_ADVANCE = 100;

/** Rejects with `RangeError` or `SyntaxError` for a wrong option. */
export async function domainGround(options: LabOptions): Promise<Ground> {
  const { cpus = 2, memory = "2GiB", profile = "xeon-2003", scheduler = "bvt", seed = 1 } = options;
  const { frequencyHz } = profileNamed(profile);
  const host = await Host.boot({ cpus, memory, scheduler, profile, frequencyHz });
  const { clock } = host.hardware;
  const { dispatcher, costs } = host;
  const disk = hypervisorDisk({ clock, dispatcher, costs });
  const domains = new Map<LabKernel, ModelledDomain>();
  const places = new Map<LabKernel, ModelPlace>();
  let made = 0;
  return {
    clock,
    dispatcher,
    costs,
    memoryBytes: parseSize(memory),
    idOf: (system) => domains.get(system)?.domain.id ?? 0,
    get kernels() {
      return host.modelled.all.map(({ kernel }) => kernel);
    },
    system({ name, memory, weight = 1 }) {
      const number = made++;
      let system: LabKernel | undefined;
      const domain = host.modelled.create({
        name,
        memory,
        seed: seed * 1000 + number,
        parameters: scheduler === "bvt"
          ? { mcu_adv: Math.max(1, Math.round(MCU_ADVANCE / weight)) }
          : { weight: Math.round(256 * weight) },
        kernel(place) {
          system = labKernel(place, number, (kernel) => sharedDisk(host, place, kernel, disk));
          places.set(system, place);
          return system.linux.kernel;
        },
      });
      domains.set(system!, domain);
      return system!;
    },
    virtualCard(system, nic) {
      const { linux: { kernel }, network, address } = system;
      installVirtualCard(host, places.get(system)!, kernel, network, nic, address);
    },
    destroy(system) {
      host.modelled.destroy(domains.get(system)!);
      domains.delete(system);
      places.delete(system);
    },
  };
}
