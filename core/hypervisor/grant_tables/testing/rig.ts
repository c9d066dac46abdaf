/** Three domains with grant tables over sparse frames; a frame's owner is its number's hundreds. */

import { GNTST, GTF } from "../../../abi/grant_table.ts";
import type { DomainId, GrantReference, GuestFrame, MachineFrame } from "../../../abi/ids.ts";
import { SparseFrames } from "../../testing/sparse_frames.ts";
import { GrantTables, type MapRequest } from "../grant_tables.ts";
import type { GrantCheck, HostMapping } from "../ports.ts";

/** Domain 0 is privileged. */
export const DOM0 = 0 as DomainId;
export const DOM1 = 1 as DomainId;
export const DOM2 = 2 as DomainId;

/** A frame number of each kind, short. */
export const mfn = (value: number) => value as MachineFrame;
/** A grant reference, short. */
export const gref = (value: number) => value as GrantReference;

/** The highest frame that a guest of the rig may grant; beyond there is no memory. */
const FRAME_LIMIT = 1000;

/** A rig to grant in. */
export class GrantRig {
  /** References by `FRAME r` or `FRAME w`. */
  readonly references = new Map<string, number>();
  /** Host mappings by address. */
  readonly mapped = new Map<bigint, HostMapping>();
  /** Owners of frames that moved. */
  readonly moved = new Map<MachineFrame, DomainId | null>();
  refuses: (check: GrantCheck) => boolean = () => false;
  /** Frames that may not be written, as page tables are. */
  readonly unwritable = new Set<MachineFrame>();
  readonly grants: GrantTables;
  #nextTableFrame = 5000;

  constructor(
    { maxFrames = 4, maxHandles = 8 } = {},
    readonly memory: SparseFrames = new SparseFrames(),
  ) {
    this.grants = new GrantTables({
      memory: this.memory,
      mapHost: (_caller, mapping) => {
        if (mapping.address === 0xbadn || this.mapped.has(mapping.address)) {
          return GNTST.bad_virt_addr;
        }
        this.mapped.set(mapping.address, mapping);
        return GNTST.okay;
      },
      unmapHost: (_caller, { address, frame }) => {
        if (this.mapped.get(address)?.frame !== frame) return GNTST.general_error;
        this.mapped.delete(address);
        return GNTST.okay;
      },
      replaceHost: (_caller, { address }) => {
        this.mapped.delete(address);
        return GNTST.okay;
      },
      resolveFrame: (_owner, frame) => frame < FRAME_LIMIT ? frame as number as MachineFrame : null,
      takeFrame: (owner, frame, writable) => this.#take(owner, frame, writable),
      dropFrame: (_owner, frame, writable) => this.#count(frame, writable, -1),
      allocateTableFrame: () => mfn(this.#nextTableFrame++),
      freeTableFrame: (_owner, frame) => this.memory.frames.delete(frame),
      stealFrame: (owner, frame) => {
        if (this.ownerOf(frame) !== owner || frame >= FRAME_LIMIT) return false;
        this.moved.set(frame, null);
        return true;
      },
      assignFrame: (owner, frame) => {
        this.moved.set(frame, owner);
        return true;
      },
      freeStolenFrame: (frame) => this.moved.set(frame, null),
      allows: (check) => !this.refuses(check),
    });
    for (const id of [DOM0, DOM1, DOM2]) {
      this.grants.attach({ id, privileged: id === DOM0, maxFrames, maxHandles });
    }
  }

  /** Who owns a frame at present. */
  ownerOf(frame: MachineFrame): DomainId | null {
    const moved = this.moved.get(frame);
    return moved === undefined ? Math.floor(frame / 100) as DomainId : moved;
  }

  /** The guest writes an entry of its table. */
  entry(owner: DomainId, ref: number, flags: number, to: DomainId, frame: number): void {
    const [first] = this.grants.tableFrames(owner);
    this.memory.write32(first, 8 * ref + 4, frame);
    this.memory.write32(first, 8 * ref, flags | (to << 16));
  }

  /** The guest lets `to` use its frame; `extra` are further flags. */
  permit(owner: DomainId, ref: number, to: DomainId, frame: number, extra = 0): void {
    this.entry(owner, ref, GTF.permit_access | extra, to, frame);
  }

  /** The flags of an entry. */
  flags(owner: DomainId, ref: number): number {
    return this.memory.read32(this.grants.tableFrames(owner)[0], 8 * ref) & 0xffff;
  }

  /** A mapping request with the usual values. */
  request(request: Partial<Omit<MapRequest, "ref">> & { ref: number }): MapRequest {
    return { dom: DOM1, flags: 2, hostAddress: 0x1000n, ...request, ref: gref(request.ref) };
  }

  /** References held on frames, as `FRAME r` and `FRAME w`. */
  get held(): string[] {
    return [...this.references].filter(([, count]) => count > 0).map(([key]) => key).sort();
  }

  #take(owner: DomainId, frame: MachineFrame, writable: boolean): boolean {
    if (this.ownerOf(frame) !== owner || (writable && this.unwritable.has(frame))) return false;
    this.#count(frame, writable, 1);
    return true;
  }

  #count(frame: MachineFrame, writable: boolean, change: number): void {
    const key = `${frame} ${writable ? "w" : "r"}`;
    this.references.set(key, (this.references.get(key) ?? 0) + change);
  }
}

/** The guest's frame number, short. */
export const gfn = (value: number) => value as GuestFrame;
