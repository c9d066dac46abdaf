/**
 * How long a UDP echo takes from a domain among many that compute (SOSP 2003, section 4.5): from one of them, or from one more
 * that has nothing else to do.
 */

import type { Cycles } from "../../core/clock/clock.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import type { PhysicalCpuId } from "../../core/lib/brand.ts";
import { createLinux } from "../../guests/model/mod.ts";
import { Network } from "../../guests/model/net/network.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import { computing } from "../../guests/model/workloads/compute.ts";
import { kupdated } from "../../guests/model/workloads/kupdated.ts";
import {
  Pinger,
  type PingResult,
  udpEcho,
} from "../../guests/model/workloads/udp_echo/udp_echo.ts";
import { Host } from "../host/host.ts";
import { cableToOutside } from "./cabling.ts";
import { cpusInTurn } from "./cpus_in_turn.ts";
import { HypervisorNic } from "./hypervisor_nic.ts";
import { installVirtualCard } from "./ring_nic.ts";
import { runUntil } from "./run_until.ts";
import { digestSchedule } from "./schedule_digest.ts";

/** What is measured. */
export interface UdpLatencyOptions {
  /** Domains that compute all the time. */
  readonly domains: number;
  /** Whether the one that echoes computes, too; otherwise it is one more. */
  readonly isBusy: boolean;
  /** Simulated time. */
  readonly seconds: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/** What was measured, and a digest of the schedule. */
export interface UdpLatency extends PingResult {
  readonly trace: { readonly hash: string };
}

const PROFILE = "xeon-2003";
const CPUS = 2;
const BOX = hostAddress(0x0a000001);
const OUTSIDE = hostAddress(0x0a00ff02);
const PORT = 7;
const BYTES = 64;
/** The paper does not tell its own. At no time is it asked twice within a round of 128 domains' slices. */
const INTERVAL_NS = 1e9;
const NIC_CPU = 0 as PhysicalCpuId;

/** Rejects with `RangeError` for more domains than memory holds, with the signal's reason if it is aborted. */
export async function measureUdpLatency(options: UdpLatencyOptions): Promise<UdpLatency> {
  const { domains, isBusy, seconds, seed, signal } = options;
  const { frequencyHz } = profileNamed(PROFILE);
  const costs = new CostTable(profileNamed(PROFILE), frequencyHz);
  const host = await Host.boot({
    cpus: CPUS,
    memory: "1GiB",
    scheduler: "bvt",
    profile: PROFILE,
    frequencyHz,
  });
  const { dispatcher, hardware: { clock } } = host;
  const trace = digestSchedule(dispatcher);
  const about = (name: string, number: number) => ({
    name,
    memory: "6MiB",
    cpus: cpusInTurn(number, CPUS),
    seed: seed * 1000 + number,
  });
  const pings = { address: BOX, port: PORT, intervalNs: INTERVAL_NS, bytes: BYTES, seed };
  const pinger = new Pinger(pings);
  const { nic } = cableToOutside(clock, () => hypervisorNic.onInterrupt(), OUTSIDE, pinger);
  const occupy = (cycles: Cycles) => dispatcher.occupy(NIC_CPU, cycles);
  const hypervisorNic = new HypervisorNic({ nic, costs, occupy });
  const program = computing(frequencyHz);
  for (let number = 1; number <= domains; number++) {
    if (number === 1 && isBusy) continue;
    host.modelled.create(about(`busy${number}`, number - 1)).kernel.spawn(program);
  }
  const { kernel } = host.modelled.create({
    ...about("echo", isBusy ? 0 : domains),
    kernel: (place) => {
      const linux = createLinux(place);
      const network = new Network(linux.kernel, linux.descriptors, { address: BOX });
      linux.kernel.install(network);
      installVirtualCard(host, place, linux.kernel, network, hypervisorNic, BOX);
      return linux.kernel;
    },
  });
  kernel.spawn(kupdated(frequencyHz));
  if (isBusy) kernel.spawn(program);
  kernel.spawn(udpEcho, { locals: { port: PORT } });
  await runUntil({ clock, dispatcher }, Math.round(seconds * frequencyHz), { signal });
  signal?.throwIfAborted();
  return { ...pinger.result, trace: { hash: trace.hash } };
}
