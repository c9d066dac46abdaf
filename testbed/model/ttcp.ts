/** ttcp between a machine outside and a modelled system, on any platform (SOSP 2003, Table 6). */

import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { PhysicalCpuId } from "../../core/lib/brand.ts";
import { Random } from "../../core/lib/random.ts";
import {
  createLinux,
  type Kernel,
  type LinuxOptions,
  type PlatformName,
  PLATFORMS,
} from "../../guests/model/mod.ts";
import { Network } from "../../guests/model/net/network.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import { OutsideTtcp } from "../../guests/model/workloads/ttcp/outside_ttcp.ts";
import {
  ttcpReceive,
  type TtcpResult,
  ttcpTransmit,
} from "../../guests/model/workloads/ttcp/ttcp.ts";
import { Host } from "../host/host.ts";
import { parseSize } from "../units.ts";
import { BareBox } from "./bare_box.ts";
import { cableToOutside } from "./cabling.ts";
import { HypervisorNic } from "./hypervisor_nic.ts";
import { installVirtualCard } from "./ring_nic.ts";
import { digestSchedule } from "./schedule_digest.ts";

/** A measurement. */
export interface TtcpMeasurement {
  /** Name of the cost profile. */
  readonly profile: string;
  readonly platform: PlatformName;
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  /** What the modelled system does. */
  readonly direction: "transmit" | "receive";
  readonly bytes: number;
  /** Decides when the system is up and when the other machine connects; default 1. */
  readonly seed?: number;
}

/** What was measured. */
export interface TtcpSpeed {
  /** Of payload. */
  readonly megabitsPerSecond: number;
  /** A digest of the schedule: when the system had something to do. */
  readonly trace: { readonly hash: string };
}

const MEMORY = "512MiB";
/** Of the machine: the domain's, and the hypervisor's own. */
const MACHINE_MEMORY = "640MiB";
const BOX = hostAddress(0x0a000001);
const OUTSIDE = hostAddress(0x0a000002);
const PORT = 5001;
/** Section 4.2.1: socket buffers of 128 kB; ttcp's own default is to move 8 kB at a time. */
const BUFFERS = { bufferBytes: 131_072, lengthBytes: 8192 } as const;
const HEADERS_BYTES = 52;
/** Simulated seconds after which a transfer is given up. */
const PATIENCE_SECONDS = 600;
const FIRST_CPU = 0 as PhysicalCpuId;
/** The other machine connects between these times: the system is up by then. */
const CONNECT_MS = [20, 40] as const;
const SEED = 1;

/** Rejects with `RangeError` for an unknown profile or a transfer that does not end. */
export async function measureTtcp(measurement: TtcpMeasurement): Promise<TtcpSpeed> {
  const { profile, platform, direction, bytes } = measurement;
  const { frequencyHz } = profileNamed(profile);
  const box = platform === "xen-pv" ? await inDomain(measurement) : onHardware(measurement);
  const locals = { address: OUTSIDE as number, port: PORT, bytes, ...BUFFERS };
  box.kernel.spawn(direction === "transmit" ? ttcpTransmit : ttcpReceive, { locals });
  const { reports } = box.kernel;
  const trace = digestSchedule(box.dispatcher);
  for (let second = 1; reports.length === 0; second++) {
    if (second > PATIENCE_SECONDS) throw new RangeError(`ttcp on ${platform} does not end`);
    box.dispatcher.advance(second * frequencyHz as Cycle);
  }
  const result = reports[0].value as unknown as TtcpResult;
  const megabitsPerSecond = result.bytes * 8 / (result.cycles / frequencyHz) / 1e6;
  return { megabitsPerSecond, trace: { hash: trace.hash } };
}

/** A kernel that is about to run, and what runs it. */
interface Box {
  readonly kernel: Kernel;
  readonly dispatcher: CpuDispatcher;
}

/** The kernel drives the card, whatever that is. */
function onHardware(measurement: TtcpMeasurement): Box {
  const { profile, platform, mtu, seed = SEED } = measurement;
  const costProfile = profileNamed(profile);
  const { frequencyHz } = costProfile;
  const priced = PLATFORMS[platform](new CostTable(costProfile, frequencyHz), 1);
  return new BareBox({
    cpus: 1,
    frequencyHz,
    kernel: (machine, clock) => {
      const memoryBytes = parseSize(MEMORY);
      const options = { name: platform, machine, memoryBytes, platform: priced, seed };
      const { kernel, network } = networkedLinux(options, mtu);
      const raise = () => kernel.interrupt("eth0");
      const { nic } = cableToOutside(clock, raise, OUTSIDE, peerOf(measurement));
      kernel.install(new NicDriver("eth0", kernel, network, nic));
      return kernel;
    },
  });
}

/** The hypervisor drives the card, and the kernel has a front end. */
async function inDomain(measurement: TtcpMeasurement): Promise<Box> {
  const { profile, mtu, seed = SEED } = measurement;
  const { frequencyHz } = profileNamed(profile);
  const host = await Host.boot({
    cpus: 1,
    memory: MACHINE_MEMORY,
    scheduler: "bvt",
    profile,
    frequencyHz,
  });
  const { dispatcher, costs, hardware: { clock } } = host;
  const interrupt = () => hypervisorNic.onInterrupt();
  const { nic } = cableToOutside(clock, interrupt, OUTSIDE, peerOf(measurement));
  const occupy = (cycles: Cycles) => dispatcher.occupy(FIRST_CPU, cycles);
  const hypervisorNic = new HypervisorNic({ nic, costs, occupy });
  const { kernel } = host.modelled.create({
    name: "ttcp",
    memory: MEMORY,
    seed,
    kernel(place) {
      const { kernel, network } = networkedLinux(place, mtu);
      installVirtualCard(host, place, kernel, network, hypervisorNic, BOX);
      return kernel;
    },
  });
  return { kernel, dispatcher };
}

function networkedLinux(options: LinuxOptions, mtu: number) {
  const { kernel, descriptors } = createLinux(options);
  const network = new Network(kernel, descriptors, { address: BOX, mtu });
  kernel.install(network);
  return { kernel, network };
}

function peerOf({ direction, bytes, mtu, seed = SEED }: TtcpMeasurement): OutsideTtcp {
  const { bufferBytes } = BUFFERS;
  const options = {
    mss: mtu - HEADERS_BYTES,
    sendBufferBytes: bufferBytes,
    receiveBufferBytes: bufferBytes,
    nagle: true,
  };
  if (direction === "transmit") return new OutsideTtcp({ does: "receive", port: PORT }, options);
  const afterNs = new Random(seed).between(CONNECT_MS[0] * 1e6, CONNECT_MS[1] * 1e6);
  return new OutsideTtcp({ does: "transmit", to: BOX, port: PORT, bytes, afterNs }, options);
}
