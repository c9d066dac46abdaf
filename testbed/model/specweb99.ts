/**
 * SPECweb99 on modelled systems (SOSP 2003, sections 4.1 and 4.3): instances of a server on one native kernel, or each in a domain
 * of its own, and the clients outside.
 */

import type { Cycle } from "../../core/clock/clock.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { RUNSTATES } from "../../core/hypervisor/scheduling/ports.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { PhysicalCpuId } from "../../core/lib/brand.ts";
import { Digest } from "../../core/trace/trace.ts";
import {
  createLinux,
  type Kernel,
  type LinuxOptions,
  type PlatformName,
  PLATFORMS,
  SharedMemory,
} from "../../guests/model/mod.ts";
import { Network } from "../../guests/model/net/network.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import { type HostAddress, hostAddress } from "../../guests/model/net/packet.ts";
import { apache } from "../../guests/model/workloads/specweb99/apache.ts";
import { conforming, SpecWebClients } from "../../guests/model/workloads/specweb99/clients.ts";
import { serverCalls } from "../../guests/model/workloads/specweb99/server_calls.ts";
import { Host } from "../host/host.ts";
import type { ModelPlace } from "../host/modelled_domains.ts";
import { parseSize } from "../units.ts";
import { BareBox } from "./bare_box.ts";
import { cableToOutside } from "./cabling.ts";
import { cpusInTurn } from "./cpus_in_turn.ts";
import { HypervisorNic } from "./hypervisor_nic.ts";
import { installVirtualCard } from "./ring_nic.ts";

/** A measurement. */
export interface SpecWebMeasurement {
  /** `native`: all instances on one kernel for all CPUs; `xen-pv`: each in a domain with one virtual CPU. */
  readonly platform: PlatformName;
  readonly cpus: number;
  /** Servers; connections are shared out evenly among them. */
  readonly instances: number;
  /** Simultaneous connections, over all servers. */
  readonly connections: number;
  /** Simulated seconds before the measurement, and of it. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly seed: number;
}

/** Who watches a measurement. */
export interface SpecWebOptions {
  readonly signal?: AbortSignal;
  /** How much of it is done, between 0 and 1. */
  readonly onProgress?: (done: number) => void;
}

/** What was measured. */
export interface SpecWebResult {
  /** Conforming connections of each instance. */
  readonly conforming: readonly number[];
  readonly requestsPerSecond: number;
  readonly megabitsPerSecond: number;
  /** What each connection got, in Mb/s. */
  readonly rates: readonly number[];
  /** Of all CPUs, how much time was used, between 0 and 1. */
  readonly utilization: number;
  readonly errors: number;
  /** A digest of the whole schedule: who ran when. */
  readonly trace: { readonly hash: string };
}

const PROFILE = "xeon-2003";
const MEMORY = "2GiB";
const OUTSIDE = hostAddress(0x0a00ff02);
const BOX = 0x0a000001;
const PORT = 80;
/** How many connections a server serves at a time at most: its processes. */
const MAX_CLIENTS = 512;
/** Processes beyond the connections of an instance: some are between two of them. */
const SPARE_PROCESSES = 16;
/** Servers make their processes before anybody connects. */
const START_SECONDS = 1;
/** Longest stretch between two looks at the abort signal, in simulated seconds. */
const SLICE_SECONDS = 0.25;
const NIC_CPU = 0 as PhysicalCpuId;

/** A box whose servers are about to start; its clients wait for them. */
interface Servers {
  readonly dispatcher: CpuDispatcher;
  readonly clients: SpecWebClients;
}

/**
 * Rejects with `RangeError` for a number below 1, or for more than memory holds; with the signal's reason when it is aborted.
 */
export async function measureSpecWeb(
  measurement: SpecWebMeasurement,
  { signal, onProgress }: SpecWebOptions = {},
): Promise<SpecWebResult> {
  expectCounts(measurement);
  const { cpus, warmUpSeconds, seconds, instances } = measurement;
  const { platform } = measurement;
  const { dispatcher, clients } = platform === "xen-pv"
    ? await inDomains(measurement)
    : onOneKernel(measurement);
  const { frequencyHz } = profileNamed(PROFILE);
  const digest = new Digest();
  dispatcher.observe(({ domain, id, state }, now) => {
    digest.add(domain << 16 | id << 4 | RUNSTATES[state]);
    digest.add(now % 2 ** 32);
  });
  const end = warmUpSeconds + seconds;
  const advance = async (from: number, to: number) => {
    for (let time = from; time < to;) {
      signal?.throwIfAborted();
      time = Math.min(to, time + SLICE_SECONDS);
      dispatcher.advance(Math.round(time * frequencyHz) as Cycle);
      onProgress?.(time / end);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  };
  await advance(0, warmUpSeconds);
  clients.reset();
  const busyBefore = busy(dispatcher, cpus);
  await advance(warmUpSeconds, end);
  const { results } = clients;
  const sum = (of: (each: typeof results[number]) => number) =>
    results.reduce((total, each) => total + of(each), 0);
  return {
    conforming: conforming(results, instances),
    requestsPerSecond: sum(({ requests }) => requests) / seconds,
    megabitsPerSecond: sum(({ bytes }) => bytes) * 8 / seconds / 1e6,
    rates: results.map(({ bytes, ns }) => bytes * 8e3 / Math.max(1, ns)),
    utilization: (busy(dispatcher, cpus) - busyBefore) / (cpus * seconds * frequencyHz),
    errors: sum(({ errors }) => errors),
    trace: { hash: digest.toString() },
  };
}

/** One kernel, with servers at different ports. */
function onOneKernel(measurement: SpecWebMeasurement): Servers {
  const { platform, cpus, instances, seed } = measurement;
  const costProfile = profileNamed(PROFILE);
  const costs = new CostTable(costProfile, costProfile.frequencyHz);
  const address = hostAddress(BOX);
  const servers = ports(instances).map((port) => ({ address: address as number, port }));
  const clients = clientsOf(measurement, servers);
  const box = new BareBox({
    cpus,
    frequencyHz: costProfile.frequencyHz,
    kernel: (machine, clock) => {
      const options = { name: platform, machine, memoryBytes: parseSize(MEMORY), seed };
      const { nic } = cableToOutside(clock, () => kernel.interrupt("eth0"), OUTSIDE, clients);
      const priced = { ...options, platform: PLATFORMS[platform](costs, cpus) };
      const { kernel, network } = serverKernel(priced, address);
      kernel.install(new NicDriver("eth0", kernel, network, nic));
      const processes = processesOf(measurement);
      for (const port of ports(instances)) kernel.spawn(apache, { locals: { port, processes } });
      return kernel;
    },
  });
  return { dispatcher: box.dispatcher, clients };
}

/** Domains under BVT, one for each server, and a card whose driver is in the hypervisor. */
async function inDomains(measurement: SpecWebMeasurement): Promise<Servers> {
  const { cpus, instances, seed } = measurement;
  const costProfile = profileNamed(PROFILE);
  const { frequencyHz } = costProfile;
  const costs = new CostTable(costProfile, frequencyHz);
  const host = await Host.boot({
    cpus,
    memory: MEMORY,
    scheduler: "bvt",
    profile: PROFILE,
    frequencyHz,
  });
  const { dispatcher, hardware: { clock } } = host;
  const addresses = ports(instances).map((_, index) => hostAddress(BOX + index));
  const servers = addresses.map((address) => ({ address: address as number, port: PORT }));
  const clients = clientsOf(measurement, servers);
  const { nic } = cableToOutside(clock, () => hypervisorNic.onInterrupt(), OUTSIDE, clients);
  const occupy = (cycles: Parameters<typeof dispatcher.occupy>[1]) =>
    dispatcher.occupy(NIC_CPU, cycles);
  const hypervisorNic = new HypervisorNic({ nic, costs, occupy });
  const memory = `${Math.floor(parseSize(MEMORY) * 0.9 / instances / 2 ** 20)}MiB`;
  addresses.forEach((address, index) => {
    const kernel = (place: ModelPlace) => {
      const server = serverKernel(place, address);
      installVirtualCard(host, place, server.kernel, server.network, hypervisorNic, address);
      return server.kernel;
    };
    const name = `web${index + 1}`;
    const domain = host.modelled.create({
      name,
      memory,
      kernel,
      cpus: cpusInTurn(index, cpus),
      seed: seed * 1000 + index,
    });
    const locals = { port: PORT, processes: processesOf(measurement) };
    domain.kernel.spawn(apache, { locals });
  });
  return { dispatcher, clients };
}

/** A Linux with a network, but no card yet. */
function serverKernel(
  options: LinuxOptions,
  address: HostAddress,
): { readonly kernel: Kernel; readonly network: Network } {
  const { kernel, descriptors } = createLinux(options);
  const network = new Network(kernel, descriptors, { address });
  kernel.install(network);
  kernel.install(new SharedMemory(kernel));
  kernel.install(serverCalls);
  return { kernel, network };
}

function expectCounts(measurement: SpecWebMeasurement): void {
  for (const name of ["cpus", "instances", "connections", "seconds"] as const) {
    const value = measurement[name];
    if (value >= 1 && (name === "seconds" || Number.isSafeInteger(value))) continue;
    throw new RangeError(`${name} must be at least 1, found ${value}`);
  }
}

function clientsOf(
  { connections, seed, warmUpSeconds }: SpecWebMeasurement,
  servers: readonly { readonly address: number; readonly port: number }[],
): SpecWebClients {
  const rampNs = Math.max(0, warmUpSeconds / 2 - START_SECONDS) * 1e9;
  return new SpecWebClients({ servers, connections, seed, startNs: START_SECONDS * 1e9, rampNs });
}

function processesOf({ connections, instances }: SpecWebMeasurement): number {
  return Math.min(MAX_CLIENTS, Math.ceil(connections / instances) + SPARE_PROCESSES);
}

function ports(instances: number): number[] {
  return Array.from({ length: instances }, (_, index) => PORT + index);
}

function busy(dispatcher: CpuDispatcher, cpus: number): number {
  let sum = 0;
  for (let cpu = 0; cpu < cpus; cpu++) sum += dispatcher.busyCycles(cpu as PhysicalCpuId);
  return sum;
}
