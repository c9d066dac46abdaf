/** Joins network cards of modelled systems by cables, and to machines outside. */

import type { Cycle, MachineClock } from "../../core/clock/clock.ts";
import {
  CableDirection,
  type CableOptions,
  GigabitNic,
  TIGON_3_COALESCING,
} from "../../devices/gigabit_nic/mod.ts";
import { OutsideMachine, type OutsideProgram } from "../../guests/model/net/outside_machine.ts";
import type { HostAddress, Packet } from "../../guests/model/net/packet.ts";

/** A card of the box, and what is at the other end of its cable. */
export interface Cabling {
  readonly nic: GigabitNic<Packet>;
  readonly outside: OutsideMachine;
}

/** The cable's own properties, beside its clock. */
export type CableChoice = Partial<Omit<CableOptions, "clock">>;

/** A Gigabit Ethernet through one switch; the gap is what a Tigon 3 needs between frames (Table 6: 897 Mb/s of 941). */
const GIGABIT = { bitsPerSecond: 1e9, latencyNs: 15_000, frameGapNs: 610 };

/**
 * A card that raises its interrupt by `raise`, on a cable to a machine outside that runs `program`. The machine begins at
 * once.
 */
export function cableToOutside(
  clock: MachineClock,
  raise: () => void,
  address: HostAddress,
  program: OutsideProgram,
  choice: CableChoice = {},
): Cabling {
  const cable = { ...GIGABIT, ...choice, clock };
  const card = (name: string, interrupt: () => void) =>
    new GigabitNic<Packet>({
      name,
      clock,
      coalescing: TIGON_3_COALESCING,
      raise: interrupt,
    });
  const nic = card("nic.0", raise);
  const far = card("nic.outside", () => outside.onInterrupt());
  nic.connect(new CableDirection(cable, far));
  far.connect(new CableDirection(cable, nic));
  const cyclesPerNs = clock.frequencyHz / 1e9;
  const timer = clock.createTimer("outside", () => outside.onAlarm());
  const ports = {
    now: () => clock.now / cyclesPerNs,
    // Nanoseconds are no whole cycles: when the timer fires, the instant has passed for certain.
    alarm: (at: number) =>
      timer.armAt(Math.max(clock.now, Math.floor(at * cyclesPerNs)) + 1 as Cycle),
  };
  const outside: OutsideMachine = new OutsideMachine(address, far, ports, program);
  outside.begin();
  return { nic, outside };
}
