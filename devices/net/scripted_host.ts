/**
 * A host on the switch that a script drives: it answers ARP and ICMP echo, pings, may serve DHCP, and
 * shows every frame that it hears.
 *
 * Wiring: `const host = new ScriptedHost({ clock, port: lan.attach("script"), mac, address })`.
 */

import { type Clock, type Nanoseconds, nanoseconds } from "../../core/clock/clock.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../core/lib/snapshot.ts";
import type { Ipv4Address, MacAddress } from "./addresses.ts";
import { DHCP_PORT, type DhcpOptions, DhcpServer } from "./dhcp_server.ts";
import type { SwitchPort } from "./ethernet_switch.ts";
import type { NetPort } from "./net_port.ts";
import { Ipv4Interface } from "./ipv4_interface.ts";
import {
  type IcmpEcho,
  icmpEchoBytes,
  IP_PROTOCOL,
  type Ipv4Packet,
  parseIcmpEcho,
  parseUdp,
  udpBytes,
  type UdpDatagram,
} from "./packets.ts";

/** What a scripted host is. */
export interface ScriptedHostOptions {
  readonly clock: Clock;
  readonly port: SwitchPort;
  readonly mac: MacAddress;
  readonly address: Ipv4Address;
  /** Left out, the host serves no DHCP. */
  readonly dhcp?: DhcpOptions;
  /**
   * Takes what the script sends, as an input from outside, and hands it to {@link ScriptedHost.carryOut} when its time
   * has come (left out: at once). Reflexes are none.
   */
  readonly onInput?: (input: HostInput) => void;
}

/** What a script has its host send, as plain data. */
export type HostInput =
  | { readonly kind: "frame"; readonly frame: Uint8Array }
  | {
    readonly kind: "packet";
    readonly to: Ipv4Address;
    readonly protocol: number;
    readonly payload: Uint8Array;
  }
  | { readonly kind: "ping"; readonly to: Ipv4Address; readonly dataBytes: number };

/** An echo request that the host sent. */
export interface Ping {
  readonly to: Ipv4Address;
  /** Number and instant of the request; -1 as long as it waits for its turn. */
  sequence: number;
  sentNs: Nanoseconds;
  /** When the answer came, or `null`. */
  answeredNs: Nanoseconds | null;
}

/** A frame that the host heard. */
export interface ReceivedFrame {
  readonly atNs: Nanoseconds;
  readonly frame: Uint8Array;
}

/** Frames and pings that are remembered. */
const HISTORY_LIMIT = 1024;
const ECHO_IDENTIFIER = 0x5865;

/** A MAC address and an IPv4 address with reflexes; see the module comment. On a muted switch no callback is called. */
export class ScriptedHost implements NetPort, Snapshot {
  readonly mac: MacAddress;
  readonly address: Ipv4Address;
  readonly dhcp: DhcpServer | null;
  /** The last frames heard, oldest first (at most 1024). */
  readonly received: ReceivedFrame[] = [];
  /** The last pings sent, oldest first (at most 1024). */
  readonly pings: Ping[] = [];
  /** Called for each frame heard, after the reflexes. */
  onFrame: (frame: Uint8Array, at: Nanoseconds) => void = () => {};
  /** Called for each UDP datagram to this host that the DHCP server does not take. */
  onDatagram: (datagram: UdpDatagram, from: Ipv4Address) => void = () => {};
  /** Called when a ping is answered. */
  onPong: (ping: Ping) => void = () => {};
  readonly #clock: Clock;
  readonly #port: SwitchPort;
  readonly #onInput: (input: HostInput) => void;
  /** Pings that wait to be carried out. */
  readonly #asked: Ping[] = [];
  readonly #interface: Ipv4Interface;
  #sequence = 0;

  constructor(options: ScriptedHostOptions) {
    this.mac = options.mac;
    this.address = options.address;
    this.dhcp = options.dhcp ? new DhcpServer(options.address, options.dhcp) : null;
    this.#clock = options.clock;
    this.#port = options.port;
    this.#onInput = options.onInput ?? ((input) => this.carryOut(input));
    this.#port.connect(this);
    const { mac, address, port } = options;
    this.#interface = new Ipv4Interface({
      mac,
      address,
      port,
      onPacket: (packet) => this.#react(packet),
    });
  }

  /** Sends an echo request of `dataBytes` bytes (default 56); the answer appears in {@link pings}. */
  ping(to: Ipv4Address, dataBytes = 56): Ping {
    const ping: Ping = { to, sequence: -1, sentNs: nanoseconds(-1), answeredNs: null };
    this.#asked.push(ping);
    this.#onInput({ kind: "ping", to, dataBytes });
    return ping;
  }

  /** Sends a UDP datagram. */
  sendDatagram(to: Ipv4Address, datagram: UdpDatagram): void {
    const payload = udpBytes(datagram, this.address, to);
    this.#onInput({ kind: "packet", to, protocol: IP_PROTOCOL.UDP, payload });
  }

  /** Puts a frame on the wire as it is. */
  sendFrame(frame: Uint8Array): void {
    this.#onInput({ kind: "frame", frame });
  }

  /** Does what a script asked for, or has asked for in an earlier run. */
  carryOut(input: HostInput): void {
    switch (input.kind) {
      case "frame":
        return this.#port.send(input.frame);
      case "packet":
        return this.#interface.send(input);
      case "ping":
        return this.#ping(input.to, input.dataBytes);
    }
  }

  /** A frame arrived from the switch. */
  send(frame: Uint8Array): void {
    const at = this.#clock.nowNs;
    remember(this.received, { atNs: at, frame });
    this.#interface.receive(frame);
    if (!this.#port.muted) this.onFrame(frame, at);
  }

  save(): SnapshotRecord {
    return {
      kind: "scriptedHost",
      version: 2,
      state: {
        interface: this.#interface.save(),
        leases: [...this.dhcp?.leases ?? []].map(([mac, address]) => [mac, address]),
        sequence: this.#sequence,
        pings: this.pings.map((ping) => ({ ...ping })),
        received: this.received.map(({ atNs, frame }) => ({ atNs, frame: frame.slice() })),
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "scriptedHost", 2);
    this.#interface.restore(state.interface as { readonly [field: string]: SnapshotValue });
    this.dhcp?.leases.clear();
    for (const [mac, address] of state.leases as [MacAddress, Ipv4Address][]) {
      this.dhcp?.leases.set(mac, address);
    }
    this.#sequence = state.sequence as number;
    replace(this.pings, (state.pings as unknown as Ping[]).map((ping) => ({ ...ping })));
    replace(this.received, state.received as unknown as ReceivedFrame[]);
  }

  #react(packet: Ipv4Packet): void {
    const udp = parseUdp(packet);
    if (udp?.destinationPort === DHCP_PORT.SERVER && this.dhcp) return this.#serveDhcp(udp);
    if (packet.destination !== this.address) return;
    if (udp) {
      if (!this.#port.muted) this.onDatagram(udp, packet.source);
      return;
    }
    const echo = parseIcmpEcho(packet);
    if (echo?.kind === "request") {
      const payload = icmpEchoBytes({ ...echo, kind: "reply" });
      this.#interface.send({ to: packet.source, protocol: IP_PROTOCOL.ICMP, payload });
    }
    if (echo?.kind === "reply") this.#takePong(echo, packet);
  }

  #takePong(echo: IcmpEcho, { source }: Ipv4Packet): void {
    const ping = this.pings.findLast(({ to, sequence, answeredNs }) =>
      to === source && sequence === echo.sequence && answeredNs === null
    );
    if (!ping || echo.identifier !== ECHO_IDENTIFIER) return;
    ping.answeredNs = this.#clock.nowNs;
    if (!this.#port.muted) this.onPong(ping);
  }

  #serveDhcp(request: UdpDatagram): void {
    const answer = this.dhcp?.answer(request.payload);
    if (!answer) return;
    const { SERVER, CLIENT } = DHCP_PORT;
    const { destinationAddress, destinationMac, payload } = answer;
    const datagram = { sourcePort: SERVER, destinationPort: CLIENT, payload };
    const bytes = udpBytes(datagram, this.address, destinationAddress);
    this.#interface.sendToMac(destinationMac, {
      to: destinationAddress,
      protocol: IP_PROTOCOL.UDP,
      payload: bytes,
    });
  }

  #ping(to: Ipv4Address, dataBytes: number): void {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const asked = this.#asked[0]?.to === to ? this.#asked.shift()! : { to, answeredNs: null };
    const { nowNs: sentNs } = this.#clock;
    const ping = Object.assign(asked, { sequence: this.#sequence, sentNs });
    remember(this.pings, ping);
    const data = Uint8Array.from({ length: dataBytes }, (_, index) => index);
    const { sequence } = ping;
    const request = { kind: "request", identifier: ECHO_IDENTIFIER, sequence, data } as const;
    this.#interface.send({ to, protocol: IP_PROTOCOL.ICMP, payload: icmpEchoBytes(request) });
  }
}

/** Appends to a list that forgets its oldest entries. */
function remember<Entry>(list: Entry[], entry: Entry, limit = HISTORY_LIMIT): void {
  list.push(entry);
  if (list.length > limit) list.shift();
}

function replace<Entry>(list: Entry[], entries: readonly Entry[]): void {
  list.splice(0, list.length, ...entries);
}
