/**
 * A machine of its own for a modelled Linux: CPUs, memory, a SCSI disk, on one of the platforms that are no hypervisor of ours.
 * Under `xen-pv` it is the only domain, with the hypervisor's work priced and nobody to share with.
 */

import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import {
  createLinux,
  type Kernel,
  type Linux,
  type PlatformName,
  PLATFORMS,
} from "../../guests/model/mod.ts";
import { Network } from "../../guests/model/net/network.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import type { Files } from "../../guests/model/vfs/mod.ts";
import { parseDuration, parseSize } from "../units.ts";
import { boxes, NO_DISK, type WatchedBox } from "../watched_boxes.ts";
import { installFiles, platformDisk, SWAP_BLOCKS } from "./attach_disk.ts";
import { BareBox } from "./bare_box.ts";
import { runUntil } from "./run_until.ts";
import { digestSchedule } from "./schedule_digest.ts";

/** What a box is made of. */
export interface ModelBoxOptions {
  /** Name of the cost profile, for example `xeon-2003`. */
  readonly profile: string;
  readonly platform: PlatformName;
  /** Default 1. */
  readonly cpus?: number;
  /** RAM with its unit; default `512MiB`. */
  readonly memory?: string;
  /** Where pages go that memory has no room for: up to 1 GiB, default `512MiB`; null: nowhere. */
  readonly swap?: string | null;
  /** Decides what is left to chance; default: nothing is. */
  readonly seed?: number;
}

const PAGE_BYTES = 4096;
const ADDRESS = hostAddress(0x0a000001);

/** See the module comment. */
export class ModelBox {
  readonly machine: BareBox;
  readonly linux: Linux;
  readonly files: Files;
  readonly network: Network;
  /** Digest of all that was scheduled when. */
  readonly trace: { readonly hash: string };
  readonly memoryBytes: number;

  private constructor(options: ModelBoxOptions) {
    const { profile, platform, cpus = 1, memory = "512MiB" } = options;
    const costs = profileNamed(profile);
    const table = new CostTable(costs, costs.frequencyHz);
    const memoryBytes = this.memoryBytes = parseSize(memory);
    const { swap = "512MiB" } = options;
    const swapPages = swap === null ? 0 : Math.floor(parseSize(swap) / PAGE_BYTES);
    if (swapPages > SWAP_BLOCKS) {
      throw new RangeError(`a swap area has up to 1GiB, found ${swap}`);
    }
    let parts: { linux: Linux; files: Files; network: Network } | null = null;
    this.machine = new BareBox({
      cpus,
      frequencyHz: costs.frequencyHz,
      kernel: (machine, clock) => {
        const linux = createLinux({
          name: platform,
          machine,
          memoryBytes,
          seed: options.seed,
          platform: PLATFORMS[platform](table, cpus),
        });
        const stall = (stalled: boolean) => this.machine.stall(stalled);
        const driver = platformDisk(linux.kernel, { clock, costs: table, platform, stall });
        const files = installFiles(linux, driver, memoryBytes, swapPages);
        const network = new Network(linux.kernel, linux.descriptors, { address: ADDRESS });
        linux.kernel.install(network);
        parts = { linux, files, network };
        return linux.kernel;
      },
    });
    ({ linux: this.linux, files: this.files, network: this.network } = parts!);
    this.trace = digestSchedule(this.machine.dispatcher);
  }

  /** Starts a machine with a kernel that has nothing to do. Throws `RangeError` or `SyntaxError` for a wrong option. */
  static boot(options: ModelBoxOptions): ModelBox {
    const box = new ModelBox(options);
    boxes.add("machine", box, watched);
    return box;
  }

  get kernel(): Kernel {
    return this.linux.kernel;
  }

  /** Advances simulated time by `duration` (with its unit), until no process is left, or until the signal fires. */
  async run(duration: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { clock } = this.machine;
    const end = clock.now + Math.round(parseDuration(duration) * clock.frequencyHz / 1e9);
    const isOver = () => this.kernel.processes.size === 0;
    await runUntil(this.machine, end, { signal, isOver });
  }
}

/** A box as live views see it: one kernel, on all CPUs. */
function watched({ machine, linux, memoryBytes }: ModelBox): WatchedBox {
  const { dispatcher, clock } = machine;
  return {
    dispatcher,
    clock,
    memoryBytes,
    domains: () => [{
      id: 0,
      name: linux.kernel.name,
      memoryBytes,
      maxMemoryBytes: memoryBytes,
      halt: null,
      disk: NO_DISK,
      console: null,
    }],
    links: () => [],
  };
}
