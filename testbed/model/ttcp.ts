/** ttcp between a machine outside and a modelled system, on any platform (SOSP 2003, Table 6). */

import type { Cycle, Cycles, MachineClock } from "../../core/clock/clock.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import type { PhysicalCpuId } from "../../core/lib/brand.ts";
import { createLinux, type PlatformName, PLATFORMS } from "../../guests/model/mod.ts";
import { Network } from "../../guests/model/net/network.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import { CARD_WORK, FRONT_END_WORK } from "../../guests/model/net/net_work.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import type { OutsideProgram } from "../../guests/model/net/outside_machine.ts";
import { OutsideTtcp } from "../../guests/model/workloads/ttcp/outside_ttcp.ts";
import {
  ttcpReceive,
  type TtcpResult,
  ttcpTransmit,
} from "../../guests/model/workloads/ttcp/ttcp.ts";
import { parseSize } from "../units.ts";
import { BareBox } from "./bare_box.ts";
import { cableToOutside } from "./cabling.ts";
import { HypervisorNic } from "./hypervisor_nic.ts";

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
}

const BOX = hostAddress(0x0a000001);
const OUTSIDE = hostAddress(0x0a000002);
const PORT = 5001;
/** Section 4.2.1: socket buffers of 128 kB; ttcp's own default is to move 8 kB at a time. */
const BUFFERS = { bufferBytes: 131_072, lengthBytes: 8192 } as const;
const HEADERS_BYTES = 52;
/** Simulated seconds after which a transfer is given up. */
const PATIENCE_SECONDS = 600;
const FIRST_CPU = 0 as PhysicalCpuId;

/** Mb/s of payload. Throws `RangeError` for an unknown profile or a transfer that does not end. */
export function measureTtcp(measurement: TtcpMeasurement): number {
  const { profile, platform, mtu, direction, bytes } = measurement;
  const costProfile = profileNamed(profile);
  const costs = new CostTable(costProfile, costProfile.frequencyHz);
  const { frequencyHz } = costProfile;
  const locals = { address: OUTSIDE as number, port: PORT, bytes, ...BUFFERS };
  const program = direction === "transmit" ? ttcpTransmit : ttcpReceive;
  const box = new BareBox({
    cpus: 1,
    frequencyHz,
    kernel: (machine, clock) => {
      const linux = createLinux({
        name: platform,
        machine,
        memoryBytes: parseSize("512MiB"),
        platform: PLATFORMS[platform](costs, 1),
      });
      const { kernel, descriptors } = linux;
      const network = new Network(kernel, descriptors, { address: BOX, mtu });
      kernel.install(network);
      const isXen = platform === "xen-pv";
      const plug = isXen ? inHypervisor : directly;
      const device = plug({
        clock,
        costs,
        peer: peerOf(measurement),
        raise: () => kernel.interrupt("eth0"),
        occupy: (cycles) => box.dispatcher.occupy(FIRST_CPU, cycles),
      });
      kernel.install(
        new NicDriver("eth0", kernel, network, device, isXen ? FRONT_END_WORK : CARD_WORK),
      );
      kernel.spawn(program, { locals });
      return kernel;
    },
  });
  const { reports } = box.kernel;
  for (let second = 1; reports.length === 0; second++) {
    if (second > PATIENCE_SECONDS) throw new RangeError(`ttcp on ${platform} does not end`);
    box.advance(second * frequencyHz as Cycle);
  }
  const result = reports[0].value as unknown as TtcpResult;
  return result.bytes * 8 / (result.cycles / frequencyHz) / 1e6;
}

interface Plug {
  readonly clock: MachineClock;
  readonly costs: CostTable;
  readonly peer: OutsideProgram;
  readonly raise: () => void;
  readonly occupy: (cycles: Cycles) => void;
}

function directly({ clock, raise, peer }: Plug) {
  return cableToOutside(clock, raise, OUTSIDE, peer).nic;
}

function inHypervisor({ clock, costs, raise, peer, occupy }: Plug) {
  const { nic } = cableToOutside(clock, () => hypervisorNic.onInterrupt(), OUTSIDE, peer);
  const hypervisorNic = new HypervisorNic({ nic, costs, occupy });
  return hypervisorNic.plug(BOX, raise);
}

function peerOf({ direction, bytes, mtu }: TtcpMeasurement): OutsideTtcp {
  const { bufferBytes } = BUFFERS;
  const options = {
    mss: mtu - HEADERS_BYTES,
    sendBufferBytes: bufferBytes,
    receiveBufferBytes: bufferBytes,
    nagle: true,
  };
  return direction === "transmit"
    ? new OutsideTtcp({ does: "receive", port: PORT }, options)
    : new OutsideTtcp({ does: "transmit", to: BOX, port: PORT, bytes }, options);
}
