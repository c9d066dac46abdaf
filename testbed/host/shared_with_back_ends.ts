/**
 * What a modelled domain shares with the back ends of its devices: pages of its memory in its grant table, and event channels.
 *
 * Everything is granted to domain 0, in whose name back ends act, in the hypervisor too.
 */

import { isErrno } from "../../core/abi/errno.ts";
import { ENTRIES_PER_FRAME, GNTST, GNTTAB_RESERVED } from "../../core/abi/grant_table.ts";
import {
  type DomainId,
  DOMID,
  type EventPort,
  type GrantReference,
  type GuestFrame,
  type MachineFrame,
} from "../../core/abi/ids.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import type { FrameMemory } from "../../core/hypervisor/frame_memory.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";

/** Pages that are shared; the same index is the same page. */
export interface SharedPages {
  readonly frames: readonly MachineFrame[];
  readonly references: readonly GrantReference[];
}

/** A domain's end of an event channel. */
export interface FrontChannel {
  readonly port: EventPort;
  /** `EVTCHNOP_send`. */
  readonly notify: () => void;
}

const DOM0 = 0 as DomainId;

/** See the module comment. */
export class SharedWithBackEnds {
  #pages = 0;

  /** `all` is the domain's memory; what is to be undone when the domain goes is added to `releases`. */
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly domain: Domain,
    private readonly all: readonly MachineFrame[],
    private readonly releases: (() => void)[],
  ) {}

  /** Grants pages of the domain's memory, from the first one on. Throws `RangeError` if it has not so many. */
  pages(count: number): SharedPages {
    const { hypervisor: { grants }, domain: { id, name }, all } = this;
    if (this.#pages + count >= all.length) {
      throw new RangeError(`${name} has ${all.length} pages, too few to share ${count} of them`);
    }
    const first = GNTTAB_RESERVED.count + this.#pages;
    const frames = all.slice(this.#pages, this.#pages += count);
    const references = frames.map((_, place) => first + place as GrantReference);
    const tables = Math.ceil((first + count) / ENTRIES_PER_FRAME);
    if (grants.setupTable(id, DOMID.SELF, tables).status !== GNTST.okay) {
      throw new RangeError(`${name} gets no grant table of ${tables} frames`);
    }
    // Frames of a paravirtual domain are the machine's.
    references.forEach((reference, place) =>
      grants.grant(id, reference, DOM0, frames[place] as number as GuestFrame)
    );
    return { frames, references };
  }

  /**
   * Makes an event channel that a back end may bind to; events of it call `heard`. The name is its own in the machine. Throws
   * `RangeError` if the domain has no port left.
   */
  channel(name: string, heard: () => void): FrontChannel {
    const { hypervisor: { events }, domain: { id } } = this;
    events.registerConsumer(name, heard);
    this.releases.push(() => events.unregisterConsumer(name));
    const port = events.allocUnbound(id, DOMID.SELF, DOM0, { consumer: name });
    if (isErrno(port)) throw new RangeError(`domain ${id} has no event channel left`);
    return { port, notify: () => void events.sendAsConsumer(id, port) };
  }

  /** A page of the domain, as its kernel reads and writes it. */
  access(frame: MachineFrame): PageAccess {
    return new PageAccess(this.hypervisor.memory, frame);
  }
}

/** One page of memory; offsets are in bytes. */
export class PageAccess {
  constructor(private readonly memory: FrameMemory, private readonly frame: MachineFrame) {}

  read32(offset: number): number {
    return this.memory.read32(this.frame, offset);
  }

  write32(offset: number, value: number): void {
    this.memory.write32(this.frame, offset, value);
  }

  readBytes(offset: number, into: Uint8Array): void {
    this.memory.readBytes(this.frame, offset, into);
  }

  writeBytes(offset: number, bytes: Uint8Array): void {
    this.memory.writeBytes(this.frame, offset, bytes);
  }
}
