/**
 * A modelled domain's network card on a bridge of its host, beside those of domains of machine code: the same nodes in XenStore,
 * rings, grants and event channel, served by the same {@link NetBackEnd}. Its pages hold bytes.
 *
 * Domain 0 does the back end's work, is scheduled for it and pays; the domain pays for its events.
 */

import { XENBUS_STATE } from "../../core/abi/io/xenbus.ts";
import { expectRecord, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import {
  icmpEchoBytes,
  IP_PROTOCOL,
  type Ipv4Address,
  Ipv4Interface,
  type Ipv4Packet,
  type MacAddress,
  parseIcmpEcho,
} from "../../devices/net/mod.ts";
import type { StoreSession } from "../../devices/xenstore/mod.ts";
import type { Kernel, KernelModule } from "../../guests/model/mod.ts";
import { BRIDGED_WORK } from "../../guests/model/net/net_work.ts";
import { NET_RING_PAGES, NetFront } from "../../guests/model/net/net_front.ts";
import type { Network } from "../../guests/model/net/network.ts";
import { type NetDevicePort, NicDriver } from "../../guests/model/net/nic_driver.ts";
import type { HostAddress, Packet } from "../../guests/model/net/packet.ts";
import type { VifConfig } from "../host/domain_config.ts";
import type { Host } from "../host/host.ts";
import type { ModelPlace } from "../host/modelled_domains.ts";
import { WirePackets } from "./wire_packets.ts";

const DEVICE = "eth0";
const INDEX = 0;

/** Packets of a modelled stack as frames of an Ethernet: it asks for addresses, and answers for its own and for echoes. */
class EthernetDevice implements NetDevicePort, KernelModule {
  readonly name = "ethernet";
  readonly #wire = new WirePackets();
  readonly #interface: Ipv4Interface;
  /** Packets that the frame just taken held: at most one. */
  #arrived: Packet | null = null;

  constructor(
    private readonly front: NetFront<Uint8Array>,
    mac: MacAddress,
    private readonly address: HostAddress,
  ) {
    this.#interface = new Ipv4Interface({
      mac,
      address: address as number as Ipv4Address,
      port: { send: (frame) => void front.transmit(frame) },
      onPacket: (packet) => this.#receive(packet),
    });
  }

  get transmitRoom(): number {
    return this.front.transmitRoom;
  }

  transmit(packet: Packet): boolean {
    if (this.front.transmitRoom === 0) return false;
    this.#interface.send(this.#wire.outgoing(packet));
    return true;
  }

  take(): Packet | null {
    for (let frame = this.front.take(); frame; frame = this.front.take()) {
      this.#arrived = null;
      this.#interface.receive(frame);
      if (this.#arrived) return this.#arrived;
    }
    return null;
  }

  reap(): number {
    return this.front.reap();
  }

  unmask(): void {
    this.front.unmask();
  }

  save(): SnapshotRecord {
    const state = { wire: this.#wire.save(), interface: this.#interface.save() };
    return { kind: "modelled ethernet", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "modelled ethernet", 1);
    this.#wire.restore(state.wire as ReturnType<WirePackets["save"]>);
    this.#interface.restore(state.interface as Parameters<Ipv4Interface["restore"]>[0]);
  }

  #receive(packet: Ipv4Packet): void {
    if (packet.destination as number !== this.address as number) return;
    const echo = parseIcmpEcho(packet);
    if (!echo) {
      this.#arrived = this.#wire.incoming(packet);
    } else if (echo.kind === "request") {
      const payload = icmpEchoBytes({ ...echo, kind: "reply" });
      this.#interface.send({ to: packet.source, protocol: IP_PROTOCOL.ICMP, payload });
    }
  }
}

/**
 * Gives a modelled domain a card on a bridge (default `br0`) and its driver. Throws `RangeError` for a domain that is too small, or
 * for a MAC address that another card has.
 */
export function installBridgedCard(
  host: Host,
  place: Pick<ModelPlace, "domain" | "shared" | "whenGone">,
  kernel: Kernel,
  network: Network,
  address: HostAddress,
  vif: VifConfig = {},
): void {
  const { domain, shared, whenGone } = place;
  const { frames, references } = shared.pages(2 + NET_RING_PAGES);
  const [transmit, receive, ...packets] = frames.map((frame) => shared.access(frame));
  const [transmitRing, receiveRing, ...grants] = references;
  const interrupt = () => kernel.interrupt(DEVICE);
  const { port, notify } = shared.channel(`netfront.${domain}`, interrupt);
  const front = new NetFront<Uint8Array>(kernel, {
    transmit,
    receive,
    grants,
    store(page, frame) {
      packets[page].writeBytes(0, frame);
      return frame.length;
    },
    load(page, sizeBytes) {
      const frame = new Uint8Array(sizeBytes);
      packets[page].readBytes(0, frame);
      return frame;
    },
    notify,
    interrupt,
  });
  const session = host.zero.introduceModelled(domain, () => closeIfAsked(session));
  whenGone(() => host.zero.release(domain));
  host.addCard({ id: domain }, INDEX, vif);
  const [{ mac }] = host.zero.cardsOf(domain);
  const device = new EthernetDevice(front, mac, address);
  for (const module of [front, device]) kernel.install(module);
  kernel.install(new NicDriver(DEVICE, kernel, network, device, BRIDGED_WORK));
  offer(session, {
    "tx-ring-ref": transmitRing,
    "rx-ring-ref": receiveRing,
    "event-channel": port,
    "request-rx-copy": 1,
    "feature-rx-notify": 1,
  });
}

const FRONT = `device/vif/${INDEX}`;

/** Writes the front end's nodes; the back end connects when it has its turn. */
function offer(session: StoreSession, nodes: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(nodes)) {
    session.write(`${FRONT}/${name}`, String(value));
  }
  session.watch(`${session.readText(`${FRONT}/backend`)}/state`, "back");
  enter(session, XENBUS_STATE.Connected);
}

/** The back end closes: so does the front end. */
function closeIfAsked(session: StoreSession): void {
  while (session.takeEvent()) {
    const back = session.readText(`${FRONT}/backend`);
    const state = back === null ? null : session.readText(`${back}/state`);
    if (state === String(XENBUS_STATE.Closing)) enter(session, XENBUS_STATE.Closed);
  }
}

function enter(session: StoreSession, state: number): void {
  session.write(`${FRONT}/state`, String(state));
}
