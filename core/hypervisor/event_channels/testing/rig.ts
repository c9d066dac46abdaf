/** Three domains with event channels over sparse frames, and a log of what the hypervisor was told. */

import { TWO_LEVEL } from "../../../abi/event_channel.ts";
import type { DomainId, EventPort, GuestFrame, MachineFrame, VcpuId } from "../../../abi/ids.ts";
import type { DataModel } from "../../../abi/struct_layout.ts";
import { SparseFrames } from "../../testing/sparse_frames.ts";
import { EventChannels } from "../event_channels.ts";
import type { EventCheck } from "../ports.ts";

/** Domain 0 is privileged; 1 has 64-bit words and two virtual CPUs; 2 has 32-bit words. */
export const DOM0 = 0 as DomainId;
export const DOM1 = 1 as DomainId;
export const DOM2 = 2 as DomainId;

const MODELS: readonly DataModel[] = ["lp64", "lp64", "ilp32"];

/** A rig to send events in. */
export class EventRig {
  /** What the hypervisor was told: `upcall DOMAIN.VCPU`, `poller DOMAIN.VCPU`. */
  readonly log: string[] = [];
  /** Frames taken and not dropped. */
  readonly taken: MachineFrame[] = [];
  /** What the policy refuses. */
  refuses: (check: EventCheck) => boolean = () => false;
  readonly events: EventChannels;

  constructor(maxPort = 1023, readonly memory: SparseFrames = new SparseFrames()) {
    this.events = new EventChannels({
      memory: this.memory,
      notify: (domain, vcpu) => this.log.push(`upcall ${domain}.${vcpu}`),
      wakePoller: (domain, vcpu) => this.log.push(`poller ${domain}.${vcpu}`),
      takeFrame: (_domain, frame) => this.#take(frame),
      dropFrame: (_domain, frame) => this.taken.splice(this.taken.indexOf(frame), 1),
      allows: (check) => !this.refuses(check),
    });
    MODELS.forEach((model, id) =>
      this.events.attach({
        id: id as DomainId,
        model,
        vcpuCount: 2,
        privileged: id === 0,
        maxPort,
        sharedInfo: sharedInfo(id),
        vcpuInfo: (vcpu) => ({ frame: sharedInfo(id), offset: 64 * vcpu }),
      })
    );
  }

  /** Connects a port of `from` with one of `to`. */
  connect(from: DomainId, to: DomainId): { near: EventPort; far: EventPort } {
    const far = this.events.allocUnbound(to, to, from) as EventPort;
    const near = this.events.bindInterdomain(from, to, far) as EventPort;
    this.log.length = 0;
    return { near, far };
  }

  /** The guest masks or unmasks a two-level bit by itself. */
  setMask(domain: DomainId, port: number, masked: boolean): void {
    const { evtchnMask } = TWO_LEVEL[MODELS[domain]];
    const offset = evtchnMask + 4 * (port >>> 5);
    const word = this.memory.read32(sharedInfo(domain), offset);
    const bit = 1 << (port & 31);
    this.memory.write32(sharedInfo(domain), offset, masked ? word | bit : word & ~bit);
  }

  /** The guest takes what is pending: answers the ports, and clears its words. */
  consume(domain: DomainId, vcpu = 0): number[] {
    const { wordBits, evtchnPending, evtchnMask, evtchnPendingSel } = TWO_LEVEL[MODELS[domain]];
    const page = this.memory.bytes(sharedInfo(domain));
    page[64 * vcpu] = 0;
    const wordBytes = wordBits / 8;
    const ports: number[] = [];
    for (let word = 0; word < wordBits; word++) {
      const at = 64 * vcpu + evtchnPendingSel + (word >>> 3);
      if (!(page[at] & (1 << (word & 7)))) continue;
      page[at] &= ~(1 << (word & 7));
      for (let bit = 0; bit < wordBits; bit++) {
        const offset = word * wordBytes + (bit >>> 3);
        const mask = 1 << (bit & 7);
        const masked = page[evtchnMask + offset] & mask;
        if (!(page[evtchnPending + offset] & mask) || masked) continue;
        page[evtchnPending + offset] &= ~mask;
        ports.push(word * wordBits + bit);
      }
    }
    return ports;
  }

  #take(frame: GuestFrame): MachineFrame | null {
    if (frame >= 1000) return null;
    this.taken.push(frame as number as MachineFrame);
    return frame as number as MachineFrame;
  }
}

/** The `shared_info` frame of a domain. */
export function sharedInfo(domain: number): MachineFrame {
  return 7000 + domain as MachineFrame;
}

/** A virtual CPU's number, short. */
export function vcpu(value: number): VcpuId {
  return value as VcpuId;
}

/** A port's number, short. */
export function port(value: number): EventPort {
  return value as EventPort;
}

/** A guest frame's number, short. */
export function gfn(value: number): GuestFrame {
  return value as GuestFrame;
}
