/** Which frames the receiver takes (8254x manual, section 3.2.1 "Packet Address Filtering", 13.5.1 to 13.5.3). */

import { REGISTER, type RegisterFile } from "./registers.ts";

/** Bits of RCTL. */
export const RCTL = {
  EN: 1 << 1,
  /** Store bad packets. */
  SBP: 1 << 2,
  /** Unicast promiscuous. */
  UPE: 1 << 3,
  /** Multicast promiscuous. */
  MPE: 1 << 4,
  /** Long packet enable. */
  LPE: 1 << 5,
  /** Loopback mode. */
  LBM: 3 << 6,
  /** Free descriptor threshold. */
  RDMTS_SHIFT: 8,
  /** Multicast offset: which bits of the address index MTA. */
  MO_SHIFT: 12,
  /** Broadcast accept. */
  BAM: 1 << 15,
  /** Buffer size. */
  BSIZE_SHIFT: 16,
  /** VLAN filter enable. */
  VFE: 1 << 18,
  /** Buffer size extension. */
  BSEX: 1 << 25,
  /** Strip the frame check sequence. */
  SECRC: 1 << 26,
} as const;

const RAH_ADDRESS_VALID = 0x80000000;
const RECEIVE_ADDRESSES = 16;
/** How far the two last address bytes are shifted for each multicast offset. */
const MULTICAST_SHIFTS = [4, 3, 2, 0] as const;

/** How a frame passed: by a filter that is exact, by one that is not, or not at all. */
export type FilterResult = "exact" | "inexact" | "rejected";

/** Runs the address filters, then the VLAN filter. */
export function filterFrame(registers: RegisterFile, frame: Uint8Array): FilterResult {
  const result = filterAddress(registers, frame);
  if (result === "rejected" || !(registers.get(REGISTER.RCTL) & RCTL.VFE)) return result;
  return passesVlan(registers, frame) ? result : "rejected";
}

/** What kind of destination a frame has. */
export function destinationKind(frame: Uint8Array): "unicast" | "multicast" | "broadcast" {
  if (!(frame[0] & 1)) return "unicast";
  for (let byte = 0; byte < 6; byte++) if (frame[byte] !== 0xff) return "multicast";
  return "broadcast";
}

function filterAddress(registers: RegisterFile, frame: Uint8Array): FilterResult {
  const rctl = registers.get(REGISTER.RCTL);
  const kind = destinationKind(frame);
  if (kind === "broadcast" && rctl & RCTL.BAM) return "exact";
  if (matchesReceiveAddress(registers, frame)) return "exact";
  if (kind === "unicast") return rctl & RCTL.UPE ? "exact" : "rejected";
  if (rctl & RCTL.MPE) return "exact";
  return kind === "multicast" && matchesMulticastTable(registers, frame) ? "inexact" : "rejected";
}

function matchesReceiveAddress(registers: RegisterFile, frame: Uint8Array): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const [low, high] = [view.getUint32(0, true), view.getUint16(4, true)];
  for (let index = 0; index < RECEIVE_ADDRESSES; index++) {
    const rah = registers.get(REGISTER.RAH + 8 * index);
    const valid = (rah & RAH_ADDRESS_VALID) !== 0;
    if (valid && (rah & 0xffff) === high && registers.get(REGISTER.RAL + 8 * index) === low) {
      return true;
    }
  }
  return false;
}

function matchesMulticastTable(registers: RegisterFile, frame: Uint8Array): boolean {
  const offset = (registers.get(REGISTER.RCTL) >>> RCTL.MO_SHIFT) & 3;
  const hash = ((frame[4] | (frame[5] << 8)) >> MULTICAST_SHIFTS[offset]) & 0xfff;
  return ((registers.get(REGISTER.MTA + 4 * (hash >> 5)) >>> (hash & 31)) & 1) !== 0;
}

/** Untagged frames pass; tagged ones need their bit in VFTA. */
function passesVlan(registers: RegisterFile, frame: Uint8Array): boolean {
  if (frame.length < 16) return true;
  if (((frame[12] << 8) | frame[13]) !== registers.get(REGISTER.VET)) return true;
  const id = ((frame[14] << 8) | frame[15]) & 0xfff;
  return ((registers.get(REGISTER.VFTA + 4 * (id >> 5)) >>> (id & 31)) & 1) !== 0;
}
