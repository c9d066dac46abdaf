/** What the receiver says about the checksums of a frame (8254x manual, section 3.2.9 "Receive Packet Checksum Offloading"). */

import { internetChecksum, onesComplementSum, pseudoHeaderSum } from "../net/checksum.ts";

/** `absent`: there is none that the card can check. */
export type Verdict = "good" | "bad" | "absent";

/** The verdicts about one frame. */
export interface ReceiveVerdict {
  readonly ip: Verdict;
  /** TCP or UDP. */
  readonly transport: Verdict;
}

const ABSENT: ReceiveVerdict = { ip: "absent", transport: "absent" };
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_VLAN = 0x8100;
const TCP = 6;
const UDP = 17;

/** Checks the IPv4 header and, unless the packet is a fragment, its TCP or UDP checksum. */
export function verifyFrame(frame: Uint8Array): ReceiveVerdict {
  if (frame.length < 14) return ABSENT;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const tagged = view.getUint16(12) === ETHERTYPE_VLAN && frame.length >= 18;
  const start = tagged ? 18 : 14;
  if (view.getUint16(start - 2) !== ETHERTYPE_IPV4 || frame.length < start + 20) return ABSENT;
  const headerBytes = (frame[start] & 0x0f) * 4;
  const end = start + view.getUint16(start + 2);
  const transport = start + headerBytes;
  if (frame[start] >> 4 !== 4 || headerBytes < 20 || end > frame.length || transport > end) {
    return ABSENT;
  }
  const ip = internetChecksum(frame, start, transport) === 0 ? "good" : "bad";
  const fragment = (view.getUint16(start + 6) & 0x3fff) !== 0;
  const protocol = frame[start + 9];
  const leastBytes = protocol === TCP ? 20 : protocol === UDP ? 8 : Infinity;
  if (fragment || end - transport < leastBytes) return { ip, transport: "absent" };
  if (protocol === UDP && view.getUint16(transport + 6) === 0) return { ip, transport: "absent" };
  const pseudo = pseudoHeaderSum(
    view.getUint32(start + 12),
    view.getUint32(start + 16),
    protocol,
    end - transport,
  );
  const good = internetChecksum(frame, transport, end, pseudo) === 0;
  return { ip, transport: good ? "good" : "bad" };
}

/** The packet checksum of a receive descriptor: the sum from byte `start` to the end of the frame. */
export function packetChecksum(frame: Uint8Array, start: number): number {
  return onesComplementSum(frame, start, frame.length);
}
