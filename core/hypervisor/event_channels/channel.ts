/** The state of one event channel, and of all channels of one domain. Plain data throughout. */

import { EVTCHNSTAT, FIFO, NR_VIRQS } from "../../abi/event_channel.ts";
import type { DomainId, EventPort, MachineFrame, VcpuId } from "../../abi/ids.ts";
import type { EventDomain } from "./ports.ts";

/** What a channel is bound to. */
export type Binding =
  /** Nothing; the port may be handed out. */
  | { readonly kind: "free" }
  /** Port 0, which nobody gets. */
  | { readonly kind: "reserved" }
  /** Waits for `remote` to connect. */
  | { readonly kind: "unbound"; readonly remote: DomainId }
  | { readonly kind: "interdomain"; readonly remote: DomainId; readonly remotePort: EventPort }
  | { readonly kind: "virq"; readonly virq: number }
  | { readonly kind: "ipi" };

/** The ABI's number for each binding. */
export const STATUS_OF: Readonly<Record<Binding["kind"], number>> = {
  free: EVTCHNSTAT.closed,
  reserved: EVTCHNSTAT.closed,
  unbound: EVTCHNSTAT.unbound,
  interdomain: EVTCHNSTAT.interdomain,
  virq: EVTCHNSTAT.virq,
  ipi: EVTCHNSTAT.ipi,
};

/** One event channel. */
export interface Channel {
  binding: Binding;
  notifyVcpu: VcpuId;
  /** Name of the consumer that hears it, or `null`: the guest does. */
  consumer: string | null;
  /** FIFO ABI: its queue, and the queue that it was last put into. */
  priority: number;
  lastPriority: number;
  lastVcpu: VcpuId;
  /** FIFO ABI: became pending before the guest gave the page with its word. */
  pendingEarly: boolean;
}

/** One virtual CPU's FIFO queues. */
export interface FifoVcpu {
  /** The guest's control block, or `null` until it gives one. */
  control: { frame: MachineFrame; offset: number } | null;
  /** Last port of each queue; 0 for none. */
  readonly tails: number[];
}

/** A domain's FIFO ABI. */
export interface FifoState {
  readonly vcpus: FifoVcpu[];
  /** The pages of event words, in order. */
  readonly pages: MachineFrame[];
}

/** All channels of one domain. */
export interface DomainChannels {
  readonly domain: EventDomain;
  readonly channels: Channel[];
  /** Ports of the virtual interrupts, by virtual CPU; 0 for none. */
  readonly virqPorts: number[][];
  /** Ports that each virtual CPU polls, or `null`. */
  readonly polled: (EventPort[] | null)[];
  /** `null` while the domain uses the two-level ABI. */
  fifo: FifoState | null;
}

/** Ports come in buckets of this many; those of a bucket that was touched are valid though free. */
export const BUCKET_PORTS = 64;

/** A channel bound to nothing. */
export function freeChannel(): Channel {
  return {
    binding: { kind: "free" },
    notifyVcpu: 0 as VcpuId,
    consumer: null,
    priority: FIFO.PRIORITY_DEFAULT,
    lastPriority: FIFO.PRIORITY_DEFAULT,
    lastVcpu: 0 as VcpuId,
    pendingEarly: false,
  };
}

/** The channels of a domain that has none yet. */
export function emptyChannels(domain: EventDomain): DomainChannels {
  const channels = Array.from({ length: BUCKET_PORTS }, freeChannel);
  channels[0].binding = { kind: "reserved" };
  const forVcpus = <T>(make: () => T) => Array.from({ length: domain.vcpuCount }, make);
  return {
    domain,
    channels,
    virqPorts: forVcpus(() => new Array<number>(NR_VIRQS).fill(0)),
    polled: forVcpus(() => null),
    fifo: null,
  };
}
