/**
 * Event channels: one-bit messages between domains, from virtual interrupts, and between a domain's CPUs.
 *
 * Each operation of `HYPERVISOR_event_channel_op` is a method that takes the calling domain and returns
 * a value or a negative error number, as the public header `event_channel.h` says. A channel's local
 * end may belong to a consumer (code of the hypervisor or of a modelled domain) instead of a guest.
 */

import { FIFO, NR_VIRQS, VCPU_VIRQS } from "../../abi/event_channel.ts";
import { ERRNO, type Errno, isErrno } from "../../abi/errno.ts";
import {
  type DomainId,
  DOMID,
  type EventPort,
  type GuestFrame,
  type MachineFrame,
  type VcpuId,
} from "../../abi/ids.ts";
import { invariant } from "../../lib/assert.ts";
import {
  expectRecord,
  type Snapshot,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../lib/snapshot.ts";
import {
  type Binding,
  BUCKET_PORTS,
  type Channel,
  type DomainChannels,
  emptyChannels,
  freeChannel,
  STATUS_OF,
} from "./channel.ts";
import { EventWords } from "./event_words.ts";
import { expandArray, framesOfFifo, initControl, leaveFifo } from "./fifo_setup.ts";
import type { EventChannelPorts, EventConsumer, EventDomain } from "./ports.ts";
import { loadChannels, saveChannels } from "./saved_channels.ts";

/** What `EVTCHNOP_status` tells of a channel. */
export interface ChannelStatus {
  /** One of `EVTCHNSTAT`. */
  readonly status: number;
  readonly vcpu: VcpuId;
  readonly binding: Binding;
}

/** How a consumer's channel is made: which code hears it. */
export interface ConsumerChoice {
  /** A name that {@link EventChannels.registerConsumer} knows. */
  readonly consumer?: string;
}

/** All event channels of one hypervisor; see the module comment. */
export class EventChannels implements Snapshot {
  readonly #domains = new Map<DomainId, DomainChannels>();
  readonly #consumers = new Map<string, EventConsumer>();
  readonly #words: EventWords;

  constructor(private readonly ports: EventChannelPorts) {
    this.#words = new EventWords(
      ports.memory,
      ({ domain }, vcpu) => ports.notify(domain.id, vcpu),
    );
  }

  /** A domain comes into being; throws `RangeError` if there is one of that id. */
  attach(domain: EventDomain): void {
    if (this.#domains.has(domain.id)) {
      throw new RangeError(`domain ${domain.id} has event channels already`);
    }
    this.#domains.set(domain.id, emptyChannels(domain));
  }

  /** A domain dies: its channels close, and peers see theirs unbound. */
  detach(id: DomainId): void {
    const of = this.#domains.get(id);
    if (!of) return;
    of.channels.forEach((_, port) => this.#close(of, port as EventPort));
    this.#dropFifo(of);
    this.#domains.delete(id);
  }

  /** Names code that channels may be bound to; the name is what a snapshot keeps. */
  registerConsumer(name: string, consumer: EventConsumer): void {
    invariant(!this.#consumers.has(name), `two event consumers named ${name}`);
    this.#consumers.set(name, consumer);
  }

  /** Forgets a consumer; what is sent to channels that name it is lost. */
  unregisterConsumer(name: string): void {
    this.#consumers.delete(name);
  }

  /** The frames that the FIFO ABI holds of guests, for audits. */
  *heldFrames(): IterableIterator<MachineFrame> {
    for (const { fifo } of this.#domains.values()) if (fifo) yield* framesOfFifo(fifo);
  }

  /** `EVTCHNOP_alloc_unbound`: a port of `dom` that waits for `remoteDom`. */
  allocUnbound(
    caller: DomainId,
    dom: DomainId,
    remoteDom: DomainId,
    { consumer = null }: { consumer?: string | null } = {},
  ): EventPort | Errno {
    const of = this.#domainFor(caller, dom);
    if (!of) return ERRNO.ESRCH;
    const remote = remoteDom === DOMID.SELF ? caller : remoteDom;
    if (!this.#mayActOn(caller, of)) return ERRNO.EPERM;
    if (!this.#allowed("allocUnbound", of.domain.id, remote)) return ERRNO.EPERM;
    return this.#allocate(of, { kind: "unbound", remote }, consumer);
  }

  /** `EVTCHNOP_bind_interdomain`: connects to a port that waits for the caller. */
  bindInterdomain(
    caller: DomainId,
    remoteDom: DomainId,
    remotePort: EventPort,
    { consumer }: ConsumerChoice = {},
  ): EventPort | Errno {
    const of = this.#domains.get(caller);
    const peer = this.#domainFor(caller, remoteDom);
    if (!of || !peer) return ERRNO.ESRCH;
    const far = peer.channels[remotePort];
    if (far?.binding.kind !== "unbound" || far.binding.remote !== caller) return ERRNO.EINVAL;
    if (!this.#allowed("bindInterdomain", caller, peer.domain.id)) return ERRNO.EPERM;
    const remote = peer.domain.id;
    const port = this.#allocate(of, { kind: "interdomain", remote, remotePort }, consumer ?? null);
    if (isErrno(port)) return port;
    far.binding = { kind: "interdomain", remote: caller, remotePort: port };
    // Notifications may have been sent before anybody listened: one is always delivered.
    this.#deliver(of, port);
    return port;
  }

  /** `EVTCHNOP_bind_virq`. */
  bindVirq(caller: DomainId, virq: number, vcpu: VcpuId): EventPort | Errno {
    const of = this.#domains.get(caller);
    if (!of) return ERRNO.ESRCH;
    if (!(virq >= 0 && virq < NR_VIRQS)) return ERRNO.EINVAL;
    if (!VCPU_VIRQS.has(virq) && vcpu !== 0) return ERRNO.EINVAL;
    if (!hasVcpu(of, vcpu)) return ERRNO.ENOENT;
    if (of.virqPorts[vcpu][virq] !== 0) return ERRNO.EEXIST;
    const port = this.#allocate(of, { kind: "virq", virq }, null, vcpu);
    if (!isErrno(port)) of.virqPorts[vcpu][virq] = port;
    return port;
  }

  /** `EVTCHNOP_bind_ipi`. */
  bindIpi(caller: DomainId, vcpu: VcpuId): EventPort | Errno {
    const of = this.#domains.get(caller);
    if (!of) return ERRNO.ESRCH;
    if (!hasVcpu(of, vcpu)) return ERRNO.ENOENT;
    return this.#allocate(of, { kind: "ipi" }, null, vcpu);
  }

  /**
   * `EVTCHNOP_bind_pirq`: refused, since no domain is given physical interrupts.
   *
   * @deviation Physical interrupts are bound by nobody (-EPERM), domain 0 included; `event_channel.h`,
   * "EVTCHNOP_bind_pirq".
   */
  bindPirq(_caller: DomainId, _pirq: number): Errno {
    return ERRNO.EPERM;
  }

  /** `EVTCHNOP_close`. */
  close(caller: DomainId, port: EventPort): 0 | Errno {
    const own = this.#guestChannel(caller, port);
    if (isErrno(own)) return own;
    return this.#close(own.of, port) ? 0 : ERRNO.EINVAL;
  }

  /** `EVTCHNOP_send`. A channel that waits for its peer swallows the event. */
  send(caller: DomainId, port: EventPort): 0 | Errno {
    const own = this.#guestChannel(caller, port);
    return isErrno(own) ? own : this.#send(own.of, port);
  }

  /** What {@link send} is to a guest, for the consumer that owns the channel's local end. */
  sendAsConsumer(domain: DomainId, port: EventPort): 0 | Errno {
    const of = this.#domains.get(domain);
    return of?.channels[port] ? this.#send(of, port) : ERRNO.EINVAL;
  }

  /** Closes a channel whose local end a consumer owns. */
  closeAsConsumer(domain: DomainId, port: EventPort): 0 | Errno {
    const of = this.#domains.get(domain);
    return of && this.#close(of, port) ? 0 : ERRNO.EINVAL;
  }

  /** `EVTCHNOP_status`. */
  status(caller: DomainId, dom: DomainId, port: EventPort): ChannelStatus | Errno {
    const of = this.#domainFor(caller, dom);
    if (!of) return ERRNO.ESRCH;
    const channel = of.channels[port];
    if (!channel) return ERRNO.EINVAL;
    if (channel.consumer !== null) return ERRNO.EACCES;
    if (!this.#mayActOn(caller, of)) return ERRNO.EPERM;
    const { binding, notifyVcpu } = channel;
    return { status: STATUS_OF[binding.kind], vcpu: notifyVcpu, binding };
  }

  /** `EVTCHNOP_bind_vcpu`: from now on `vcpu` is told of the channel's events. */
  bindVcpu(caller: DomainId, port: EventPort, vcpu: VcpuId): 0 | Errno {
    const of = this.#domains.get(caller);
    if (!of || !hasVcpu(of, vcpu)) return of ? ERRNO.ENOENT : ERRNO.ESRCH;
    const own = this.#guestChannel(caller, port);
    if (isErrno(own)) return own;
    const { binding } = own.channel;
    const movable = binding.kind === "unbound" || binding.kind === "interdomain" ||
      (binding.kind === "virq" && !VCPU_VIRQS.has(binding.virq));
    if (!movable) return ERRNO.EINVAL;
    own.channel.notifyVcpu = vcpu;
    return 0;
  }

  /** `EVTCHNOP_unmask`. */
  unmask(caller: DomainId, port: EventPort): 0 | Errno {
    const of = this.#domains.get(caller);
    if (!of?.channels[port]) return ERRNO.EINVAL;
    this.#words.unmask(of, port);
    return 0;
  }

  /** `EVTCHNOP_reset`: closes every channel that the guest owns, and returns to the two-level ABI. */
  reset(caller: DomainId, dom: DomainId): 0 | Errno {
    const of = this.#domainFor(caller, dom);
    if (!of) return ERRNO.ESRCH;
    if (!this.#mayActOn(caller, of)) return ERRNO.EPERM;
    of.channels.forEach((channel, port) => {
      if (channel.consumer === null) this.#close(of, port as EventPort);
    });
    this.#dropFifo(of);
    return 0;
  }

  /** `EVTCHNOP_init_control`; returns the width of links in bits. */
  initControl(
    caller: DomainId,
    control: GuestFrame,
    offset: number,
    vcpu: VcpuId,
  ): number | Errno {
    const of = this.#domains.get(caller);
    if (!of) return ERRNO.ESRCH;
    if (!hasVcpu(of, vcpu)) return ERRNO.ENOENT;
    const failed = initControl(of, this.ports, this.#words, control, offset, vcpu);
    return failed ?? FIFO.LINK_BITS;
  }

  /** `EVTCHNOP_expand_array`. */
  expandArray(caller: DomainId, frame: GuestFrame): 0 | Errno {
    const of = this.#domains.get(caller);
    if (!of) return ERRNO.ESRCH;
    const failed = expandArray(of, this.ports, frame);
    if (failed === null) this.#words.deliverEarly(of);
    return failed ?? 0;
  }

  /** `EVTCHNOP_set_priority`: 0 is the most urgent, 15 the least. */
  setPriority(caller: DomainId, port: EventPort, priority: number): 0 | Errno {
    const of = this.#domains.get(caller);
    const channel = of?.channels[port];
    if (!of || !channel) return ERRNO.EINVAL;
    if (!of.fifo) return ERRNO.ENOSYS;
    if (!(priority >= FIFO.PRIORITY_MAX && priority <= FIFO.PRIORITY_MIN)) return ERRNO.EINVAL;
    channel.priority = priority;
    return 0;
  }

  /** The hypervisor raises a virtual interrupt; a global one goes to the domain's virtual CPU 0. */
  raiseVirq(domain: DomainId, virq: number, vcpu: VcpuId = 0 as VcpuId): void {
    const of = this.#domains.get(domain);
    const port = of?.virqPorts[VCPU_VIRQS.has(virq) ? vcpu : 0]?.[virq];
    if (of && port) this.#deliver(of, port as EventPort);
  }

  /** Whether an event waits on a port of the domain. */
  isPending(domain: DomainId, port: EventPort): boolean {
    const of = this.#domains.get(domain);
    return of?.channels[port] !== undefined && this.#words.isPending(of, port);
  }

  /**
   * `SCHEDOP_poll`: whether one of `ports` is pending already; if none is, the virtual CPU is
   * remembered and {@link EventChannelPorts.wakePoller} is called when one becomes so.
   */
  startPolling(
    domain: DomainId,
    vcpu: VcpuId,
    ports: readonly EventPort[],
  ): "pending" | "polling" | Errno {
    const of = this.#domains.get(domain);
    if (!of || ports.some((port) => !of.channels[port])) return ERRNO.EINVAL;
    if (ports.some((port) => this.#words.isPending(of, port))) return "pending";
    of.polled[vcpu] = [...ports];
    return "polling";
  }

  /** The virtual CPU polls no longer: its time-out passed, or something else woke it. */
  stopPolling(domain: DomainId, vcpu: VcpuId): void {
    const of = this.#domains.get(domain);
    if (of) of.polled[vcpu] = null;
  }

  /** What each port of a domain that is not free is bound to, for tools. */
  *list(domain: DomainId): IterableIterator<{ port: EventPort; channel: Readonly<Channel> }> {
    const of = this.#domains.get(domain);
    for (const [port, channel] of of?.channels.entries() ?? []) {
      const { kind } = channel.binding;
      if (kind !== "free" && kind !== "reserved") yield { port: port as EventPort, channel };
    }
  }

  save(): SnapshotRecord {
    const domains = [...this.#domains.values()].map(saveChannels);
    return { kind: "eventChannels", version: 1, state: { domains } };
  }

  /** Restores into an object to which the same domains are attached. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "eventChannels", 1);
    for (const saved of state.domains as readonly { [field: string]: SnapshotValue }[]) {
      const of = this.#domains.get(saved.id as DomainId);
      invariant(of, `a snapshot has channels of domain ${String(saved.id)}, which is not attached`);
      loadChannels(of, saved);
    }
  }

  #send(of: DomainChannels, port: EventPort): 0 | Errno {
    const { binding } = of.channels[port];
    switch (binding.kind) {
      case "interdomain": {
        if (!this.#allowed("send", of.domain.id, binding.remote)) return ERRNO.EPERM;
        const peer = this.#domains.get(binding.remote);
        if (peer) this.#deliver(peer, binding.remotePort);
        return 0;
      }
      case "ipi":
        this.#deliver(of, port);
        return 0;
      case "unbound":
        return 0;
      case "free":
      case "reserved":
      case "virq":
        return ERRNO.EINVAL;
    }
  }

  /** The event arrives at its channel. */
  #deliver(of: DomainChannels, port: EventPort): void {
    const { consumer, notifyVcpu } = of.channels[port];
    if (consumer !== null) {
      this.#consumers.get(consumer)?.(of.domain.id, notifyVcpu, port);
      return;
    }
    this.#words.setPending(of, port);
    of.polled.forEach((ports, vcpu) => {
      if (!ports?.includes(port)) return;
      of.polled[vcpu] = null;
      this.ports.wakePoller(of.domain.id, vcpu as VcpuId);
    });
  }

  /** Frees a port and tells its peer; false if there was nothing to close. */
  #close(of: DomainChannels, port: EventPort): boolean {
    const channel = of.channels[port];
    const kind = channel?.binding.kind;
    if (!channel || kind === "free" || kind === "reserved") return false;
    const { binding } = channel;
    if (binding.kind === "virq") of.virqPorts[channel.notifyVcpu][binding.virq] = 0;
    if (binding.kind === "interdomain") {
      const far = this.#domains.get(binding.remote)?.channels[binding.remotePort];
      if (far && far !== channel) far.binding = { kind: "unbound", remote: of.domain.id };
    }
    if (channel.consumer === null) this.#words.clearPending(of, port);
    const { lastPriority, lastVcpu } = channel;
    of.channels[port] = { ...freeChannel(), lastPriority, lastVcpu };
    return true;
  }

  #allocate(
    of: DomainChannels,
    binding: Binding,
    consumer: string | null,
    notifyVcpu = 0 as VcpuId,
  ): EventPort | Errno {
    const limit = Math.min(of.domain.maxPort + 1, this.#portLimit(of));
    const free = of.channels.findIndex(({ binding }) => binding.kind === "free");
    const port = free < 0 ? of.channels.length : free;
    if (port >= limit) return ERRNO.ENOSPC;
    if (free < 0) { for (let i = 0; i < BUCKET_PORTS; i++) of.channels.push(freeChannel()); }
    Object.assign(of.channels[port], { binding, consumer, notifyVcpu });
    return port as EventPort;
  }

  /** Ports that the ABI in use can name. */
  #portLimit({ fifo, domain }: DomainChannels): number {
    if (fifo) return FIFO.NR_CHANNELS;
    return domain.model === "lp64" ? 64 * 64 : 32 * 32;
  }

  #dropFifo(of: DomainChannels): void {
    for (const frame of leaveFifo(of)) this.ports.dropFrame(of.domain.id, frame);
  }

  #guestChannel(
    caller: DomainId,
    port: EventPort,
  ): { of: DomainChannels; channel: Channel } | Errno {
    const of = this.#domains.get(caller);
    const channel = of?.channels[port];
    if (!of || !channel || channel.consumer !== null) return ERRNO.EINVAL;
    return { of, channel };
  }

  #domainFor(caller: DomainId, dom: DomainId): DomainChannels | undefined {
    return this.#domains.get(dom === DOMID.SELF ? caller : dom);
  }

  #mayActOn(caller: DomainId, of: DomainChannels): boolean {
    return of.domain.id === caller || this.#domains.get(caller)?.domain.privileged === true;
  }

  #allowed(
    what: "allocUnbound" | "bindInterdomain" | "send",
    by: DomainId,
    of: DomainId,
  ): boolean {
    return this.ports.allows?.({ what, by, of }) ?? true;
  }
}

function hasVcpu({ domain }: DomainChannels, vcpu: VcpuId): boolean {
  return vcpu >= 0 && vcpu < domain.vcpuCount;
}
