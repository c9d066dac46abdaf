/** Web servers of a lab, and SPECweb99's clients on machines outside the box. */

import type { PhysicalCpuId } from "../../core/lib/brand.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import { apache } from "../../guests/model/workloads/specweb99/apache.ts";
import { conforming, SpecWebClients } from "../../guests/model/workloads/specweb99/clients.ts";
import { cableToOutside } from "./cabling.ts";
import { HypervisorNic } from "./hypervisor_nic.ts";
import type { Ground } from "./lab.ts";
import type { LabKernel } from "./lab_kernel.ts";

/** How web servers are loaded. */
export interface WebOptions {
  /** Simultaneous connections, shared out evenly among the servers. */
  readonly connections: number;
  /** Processes of each server (`MaxClients`); default: as many as its connections, and a few more. */
  readonly processes?: number;
  readonly seed?: number;
}

/** A load on web servers. */
export interface WebLoad {
  /** Forgets what was measured so far. */
  reset(): void;
  /** Requests that were answered. */
  readonly requests: number;
  /** Bytes that clients got. */
  readonly bytes: number;
  /** Connections that got their 320 kb/s, of each server. */
  readonly conforming: readonly number[];
  /** Milliseconds from a request to the end of its answer, on average. */
  readonly responseMs: number;
  /** Connections that were refused or reset. */
  readonly errors: number;
}

const OUTSIDE = hostAddress(0x0a010001);
const FIRST_PORT = 80;
/** The CPU that takes the card's interrupts. */
const FIRST_CPU = 0 as PhysicalCpuId;
const SPARE_PROCESSES = 10;
/** Connections begin within this time, in nanoseconds. */
const RAMP_NS = 1e9;

/** Starts servers and clients. */
export function startWeb(
  ground: Ground,
  systems: readonly LabKernel[],
  { connections, seed = 1, processes }: WebOptions,
): WebLoad {
  const servers = systems.map(({ address }, index) => ({ address, port: FIRST_PORT + index }));
  for (const [index, { linux: { kernel }, within }] of systems.entries()) {
    const each = processes ?? Math.ceil(connections / systems.length) + SPARE_PROCESSES;
    const locals = { port: FIRST_PORT + index, processes: each };
    within(() => kernel.spawn(apache, { locals }));
  }
  const clients = new SpecWebClients({ servers, connections, seed, rampNs: RAMP_NS });
  plug(ground, systems, clients);
  const sum = (of: (result: typeof clients.results[number]) => number) =>
    clients.results.reduce((total, result) => total + of(result), 0);
  return {
    reset: () => clients.reset(),
    get requests() {
      return sum(({ requests }) => requests);
    },
    get bytes() {
      return sum(({ bytes }) => bytes);
    },
    get conforming() {
      return conforming(clients.results, systems.length);
    },
    get responseMs() {
      return sum(({ ns }) => ns) / Math.max(1, sum(({ requests }) => requests)) / 1e6;
    },
    get errors() {
      return sum(({ errors }) => errors);
    },
  };
}

/** A kernel that has the machine for itself drives the card; those of domains have virtual cards on the hypervisor's. */
function plug(ground: Ground, systems: readonly LabKernel[], clients: SpecWebClients): void {
  const { clock, costs, dispatcher, virtualCard } = ground;
  const kernels = new Map(systems.map((system) => [system.linux, system])).values().toArray();
  const [{ linux: { kernel }, network }] = kernels;
  const interrupt = () => virtualCard ? hypervisor.onInterrupt() : kernel.interrupt("eth0");
  const { nic } = cableToOutside(clock, interrupt, OUTSIDE, clients);
  const hypervisor = new HypervisorNic({
    nic,
    costs,
    occupy: (cycles) => dispatcher.occupy(FIRST_CPU, cycles),
  });
  if (virtualCard) { for (const system of kernels) virtualCard(system, hypervisor); }
  else kernel.install(new NicDriver("eth0", kernel, network, nic));
}
