/**
 * A small DHCP server for scripted hosts: DISCOVER gets an OFFER, REQUEST an ACK (RFC 2131, RFC 2132).
 *
 * An address belongs to a MAC address for good: leases are never reclaimed, and never run out in
 * practice because the client renews with the same address.
 */

import { BROADCAST_IPV4, type Ipv4Address, type MacAddress, macAt } from "./addresses.ts";

/** What the server hands out. */
export interface DhcpOptions {
  /** The first address of the pool. */
  readonly first: Ipv4Address;
  /** Addresses in the pool. */
  readonly count: number;
  readonly netmask: Ipv4Address;
  /** Default route; left out, none is announced. */
  readonly router?: Ipv4Address;
  /** Name server; left out, none is announced. */
  readonly nameServer?: Ipv4Address;
  /** Default one day. */
  readonly leaseSeconds?: number;
}

/** An answer, and where it goes. */
export interface DhcpAnswer {
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly destinationMac: MacAddress;
  readonly destinationAddress: Ipv4Address;
}

/** UDP ports. */
export const DHCP_PORT = { SERVER: 67, CLIENT: 68 } as const;

const MAGIC_COOKIE = 0x63825363;
const OPTIONS_START = 240;
const OPTION = {
  PAD: 0,
  SUBNET_MASK: 1,
  ROUTER: 3,
  NAME_SERVER: 6,
  REQUESTED_ADDRESS: 50,
  LEASE_TIME: 51,
  MESSAGE_TYPE: 53,
  SERVER_IDENTIFIER: 54,
  END: 255,
} as const;
const MESSAGE = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, NAK: 6 } as const;

/** The server's memory: who got which address. */
export class DhcpServer {
  /** In order of the first request. */
  readonly leases = new Map<MacAddress, Ipv4Address>();

  constructor(readonly address: Ipv4Address, readonly options: DhcpOptions) {}

  /** Answers the payload of a datagram to port 67; `null` to what needs no answer. */
  answer(payload: Uint8Array): DhcpAnswer | null {
    if (payload.length < OPTIONS_START || payload[0] !== 1) return null;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    if (view.getUint32(236) !== MAGIC_COOKIE) return null;
    const options = parseOptions(payload);
    const client = macAt(payload, 28);
    const address = this.#leaseOf(client);
    if (address === null) return null;
    const message = options.get(OPTION.MESSAGE_TYPE)?.[0];
    if (message === MESSAGE.DISCOVER) return this.#reply(payload, MESSAGE.OFFER, address);
    if (message !== MESSAGE.REQUEST) return null;
    const server = addressOf(options.get(OPTION.SERVER_IDENTIFIER));
    if (server !== null && server !== this.address) return null;
    const wanted = addressOf(options.get(OPTION.REQUESTED_ADDRESS)) ?? view.getUint32(12);
    return this.#reply(payload, wanted === address ? MESSAGE.ACK : MESSAGE.NAK, address);
  }

  #leaseOf(client: MacAddress): Ipv4Address | null {
    const known = this.leases.get(client);
    if (known !== undefined) return known;
    if (this.leases.size >= this.options.count) return null;
    const address = (this.options.first + this.leases.size) as Ipv4Address;
    this.leases.set(client, address);
    return address;
  }

  #reply(request: Uint8Array, message: number, address: Ipv4Address): DhcpAnswer {
    const fixed = new Uint8Array(OPTIONS_START);
    const view = new DataView(fixed.buffer);
    fixed.set(request.subarray(0, 44)); // transaction, flags, client address and hardware address
    fixed[0] = 2;
    fixed[3] = 0;
    const refused = message === MESSAGE.NAK;
    view.setUint32(16, refused ? 0 : address);
    view.setUint32(20, this.address);
    view.setUint32(236, MAGIC_COOKIE);
    const { netmask, router, nameServer, leaseSeconds = 86400 } = this.options;
    const granted: [number, number | undefined][] = refused ? [] : [
      [OPTION.LEASE_TIME, leaseSeconds],
      [OPTION.SUBNET_MASK, netmask],
      [OPTION.ROUTER, router],
      [OPTION.NAME_SERVER, nameServer],
    ];
    const options = [
      OPTION.MESSAGE_TYPE,
      1,
      message,
      ...option(OPTION.SERVER_IDENTIFIER, this.address),
    ];
    for (const [code, value] of granted) {
      if (value !== undefined) options.push(...option(code, value));
    }
    // BOOTP's least length, which some clients insist on, is 300 bytes.
    const payload = new Uint8Array(Math.max(300, OPTIONS_START + options.length + 1));
    payload.set(fixed);
    payload.set([...options, OPTION.END], OPTIONS_START);
    return {
      payload,
      destinationMac: refused ? 0xffffffffffff as MacAddress : macAt(request, 28),
      destinationAddress: refused || view.getUint32(12) === 0
        ? BROADCAST_IPV4
        : view.getUint32(12) as Ipv4Address,
    };
  }
}

/** An option of four bytes. */
function option(code: number, value: number): number[] {
  return [code, 4, value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

function parseOptions(payload: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = OPTIONS_START; at < payload.length && payload[at] !== OPTION.END;) {
    if (payload[at] === OPTION.PAD) {
      at++;
      continue;
    }
    const length = payload[at + 1] ?? 0;
    options.set(payload[at], payload.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function addressOf(bytes: Uint8Array | undefined): Ipv4Address | null {
  if (bytes?.length !== 4) return null;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) as Ipv4Address;
}
