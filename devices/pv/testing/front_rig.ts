/**
 * A domain with front ends, for tests of back ends: real event channels, grant tables and XenStore over
 * sparse frames, and a guest that plays its side of the rings.
 */

import { SRING } from "../../../core/abi/io/ring.ts";
import {
  type DomainId,
  DOMID,
  type EventPort,
  type GrantReference,
  type MachineFrame,
} from "../../../core/abi/ids.ts";
import { EventRig } from "../../../core/hypervisor/event_channels/testing/rig.ts";
import { GrantRig } from "../../../core/hypervisor/grant_tables/testing/rig.ts";
import { SparseFrames } from "../../../core/hypervisor/testing/sparse_frames.ts";
import { XenStore } from "../../xenstore/mod.ts";
import type { BackEndHost } from "../back_end_ports.ts";
import type { Stepper, WorkDone } from "../../work.ts";

/** Where back ends run, and whose devices they serve. */
export const BACK = 0 as DomainId;
export const FRONT = 1 as DomainId;

/** A front end's half of a ring, believing its own counters only. */
export class FrontRing {
  #requestsMade = 0;
  #responsesTaken = 0;

  constructor(
    private readonly memory: SparseFrames,
    readonly frame: MachineFrame,
    private readonly entries: number,
    private readonly entryBytes: number,
  ) {
    memory.write32(frame, SRING.reqEvent, 1);
    memory.write32(frame, SRING.rspEvent, 1);
  }

  /** Requests that have no answer yet. */
  get outstanding(): number {
    return this.#requestsMade - this.#responsesTaken;
  }

  /** Adds requests and shows them; answers whether the back end wants an event. */
  push(...requests: Uint8Array[]): boolean {
    const before = this.#requestsMade;
    for (const request of requests) {
      this.memory.bytes(this.frame).set(request, this.#place(this.#requestsMade++));
    }
    this.memory.write32(this.frame, SRING.reqProd, this.#requestsMade);
    const wanted = this.memory.read32(this.frame, SRING.reqEvent);
    return this.#requestsMade - wanted >= 0 &&
      this.#requestsMade - wanted < this.#requestsMade - before;
  }

  /** Takes the responses that are there, and asks for an event at the next. */
  take(): Uint8Array[] {
    const found: Uint8Array[] = [];
    const produced = this.memory.read32(this.frame, SRING.rspProd);
    while (this.#responsesTaken < produced) {
      const at = this.#place(this.#responsesTaken++);
      found.push(this.memory.bytes(this.frame).slice(at, at + this.entryBytes));
    }
    this.memory.write32(this.frame, SRING.rspEvent, this.#responsesTaken + 1);
    return found;
  }

  #place(index: number): number {
    return SRING.ring + index % this.entries * this.entryBytes;
  }
}

/** The rig; see the module comment. */
export class FrontRig {
  readonly memory = new SparseFrames();
  readonly eventRig = new EventRig(1023, this.memory);
  readonly grantRig = new GrantRig({ maxHandles: 64 }, this.memory);
  readonly store = new XenStore();
  readonly tools = this.store.open(BACK);
  readonly guest = this.store.open(FRONT);
  readonly host: BackEndHost = {
    domain: BACK,
    events: this.eventRig.events,
    grants: this.grantRig.grants,
    memory: this.memory,
  };
  /** How often a back end asked to be run. */
  wakes = 0;
  readonly wake = () => void this.wakes++;
  #nextRef = 8;
  #nextFrame = 110;

  constructor() {
    this.tools.mkdir(`/local/domain/${FRONT}`);
    this.tools.setPermissions(`/local/domain/${FRONT}`, [{ domain: FRONT, access: "n" }]);
  }

  /** A frame of the guest that no test has used. */
  frame(): MachineFrame {
    return this.#nextFrame++ as MachineFrame;
  }

  /** The guest grants a frame to the back end's domain. */
  grant(frame: MachineFrame, flags = 0): GrantReference {
    const ref = this.#nextRef++;
    this.grantRig.permit(FRONT, ref, BACK, frame, flags);
    return ref as GrantReference;
  }

  /** The guest makes a port that the back end may bind to. */
  port(): EventPort {
    return this.host.events.allocUnbound(FRONT, DOMID.SELF, BACK) as EventPort;
  }

  /** Tools plug a device in: both directories, with these nodes besides the usual ones. */
  plug(
    kind: string,
    id: number,
    back: Record<string, string> = {},
  ): { back: string; front: string } {
    const paths = {
      back: `/local/domain/${BACK}/backend/${kind}/${FRONT}/${id}`,
      front: `/local/domain/${FRONT}/device/${kind}/${id}`,
    };
    const backNodes = { frontend: paths.front, "frontend-id": `${FRONT}`, online: "1", ...back };
    for (const [name, value] of Object.entries({ ...backNodes, state: "1" })) {
      this.tools.write(`${paths.back}/${name}`, value);
    }
    const frontNodes = { backend: paths.back, "backend-id": `${BACK}`, state: "1" };
    for (const [name, value] of Object.entries(frontNodes)) {
      this.tools.write(`${paths.front}/${name}`, value);
    }
    return paths;
  }

  /** Runs a back end until it has nothing to do; answers the sum of its work. */
  run(device: Stepper): WorkDone {
    const sum: Record<string, number> = {};
    for (let steps = 0; steps < 1000; steps++) {
      const { done, more } = device.step();
      for (const [kind, count] of Object.entries(done)) sum[kind] = (sum[kind] ?? 0) + count;
      if (!more) return Object.fromEntries(Object.entries(sum).filter(([, count]) => count > 0));
    }
    throw new Error("a back end never comes to rest");
  }
}
