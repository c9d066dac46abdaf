/**
 * Which local APICs a message is for.
 *
 * Source: Intel SDM vol. 3, "Determining IPI Destination", "x2APIC" ("Logical Destination Mode in
 * x2APIC Mode").
 */

import type { InterruptMessage } from "./messages.ts";

/** What a destination is compared with. */
export interface DestinationRegisters {
  /** The APIC id: 32 bits in x2APIC mode, else 8 bits. */
  readonly id: number;
  readonly x2apic: boolean;
  /** LDR as it is read. */
  readonly ldr: number;
  /** DFR as it is read; of no meaning in x2APIC mode. */
  readonly dfr: number;
}

/** The logical id of an x2APIC: cluster (id bits 31 to 4) and one bit of sixteen. */
export function x2apicLogicalId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;
}

/** Whether `message` is addressed to the local APIC with `registers`. */
export function isAddressed(registers: DestinationRegisters, message: InterruptMessage): boolean {
  const { destination } = message;
  if (destination === (message.wide ? 0xffffffff : 0xff)) return true;
  if (!message.logical) return destination === registers.id;
  if (registers.x2apic) return matchesX2apicCluster(registers.ldr, destination);
  if (destination > 0xff) return false;
  const logicalId = registers.ldr >>> 24;
  const flat = registers.dfr >>> 28 === 0xf;
  if (flat) return (logicalId & destination) !== 0;
  return logicalId >> 4 === destination >> 4 && (logicalId & destination & 0xf) !== 0;
}

function matchesX2apicCluster(ldr: number, destination: number): boolean {
  return ldr >>> 16 === destination >>> 16 && (ldr & destination & 0xffff) !== 0;
}
