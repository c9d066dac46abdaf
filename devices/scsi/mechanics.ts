/**
 * The moving parts of a disk: where the arm is, and when a command that begins now would be done.
 *
 * Pure arithmetic over the angle of the spindle, which turns with simulated time.
 */

import { SECTOR_BYTES } from "../disk/disk_image.ts";
import type { ZonedGeometry } from "./geometry.ts";

/** Where the heads are. */
export interface ArmState {
  cylinder: number;
  head: number;
}

/** Sectors that the buffer holds or is filling. */
interface Segment {
  first: number;
  /** One past the last that is asked for or read ahead to. */
  end: number;
  /** One past the last that is there at `sinceNs`; more come at the speed of the surface. */
  filled: number;
  sinceNs: number;
  /** Whether reading ahead goes on. */
  reading: boolean;
}

/** What a drive remembers between commands. */
export interface MechanicsState {
  readonly arm: ArmState;
  /** Least recently used first. */
  readonly segments: readonly Readonly<Segment>[];
}

/** See the module comment. */
export class DiskMechanics {
  #arm: ArmState = { cylinder: 0, head: 0 };
  #segments: Segment[] = [];

  constructor(readonly geometry: ZonedGeometry) {}

  get arm(): Readonly<ArmState> {
    return this.#arm;
  }

  /** How long until the heads could begin with `sector` if they left at `atNs`: what a drive orders its queue by. */
  positioningNs(atNs: number, sector: number, write: boolean): number {
    const { cylinder, head, angle } = this.geometry.place(sector);
    const moved = this.#moveNs(this.#arm, cylinder, head, write);
    return moved + this.#turnNs(atNs + moved, angle);
  }

  /** Whether the buffer has, or is about to have, all of these sectors. */
  isBuffered(first: number, count: number): boolean {
    return this.#segmentOf(first, count) !== undefined;
  }

  /** Reads or writes; answers when it is done, in nanoseconds. */
  serve(atNs: number, first: number, count: number, write: boolean): number {
    const { model } = this.geometry;
    const start = atNs + model.commandNs;
    const busNs = count * SECTOR_BYTES * 1e9 / model.busBytesPerSecond;
    const segment = write ? undefined : this.#segmentOf(first, count);
    if (segment) return this.#fromBuffer(segment, start, first + count) + busNs;
    this.#stopReadingAhead(start);
    const done = this.#move(start, first, count, write);
    if (write) this.#forget(first, first + count);
    else this.#remember(first, first + count, done);
    return done + (write ? 0 : Math.min(busNs, this.#sectorNs(first)));
  }

  save(): MechanicsState {
    return { arm: { ...this.#arm }, segments: this.#segments.map((each) => ({ ...each })) };
  }

  restore({ arm, segments }: MechanicsState): void {
    this.#arm = { ...arm };
    this.#segments = segments.map((each) => ({ ...each }));
  }

  /** Moves the arm over all tracks of the extent. */
  #move(atNs: number, first: number, count: number, write: boolean): number {
    let now = atNs;
    for (let sector = first; sector < first + count;) {
      const { cylinder, head, index, sectorsPerTrack, angle } = this.geometry.place(sector);
      now += this.#moveNs(this.#arm, cylinder, head, write);
      now += this.#turnNs(now, angle);
      const length = Math.min(sectorsPerTrack - index, first + count - sector);
      now += length / sectorsPerTrack * this.geometry.rotationNs;
      this.#arm = { cylinder, head };
      sector += length;
    }
    return now;
  }

  #moveNs(from: ArmState, cylinder: number, head: number, write: boolean): number {
    const { model } = this.geometry;
    const distance = Math.abs(cylinder - from.cylinder);
    if (distance === 0 && head === from.head) return 0;
    const settle = write ? model.writeSettleNs : 0;
    return distance === 0 ? model.headSwitchNs : this.geometry.seekNs(distance) + settle;
  }

  #turnNs(atNs: number, angle: number): number {
    const { rotationNs } = this.geometry;
    const present = (atNs / rotationNs) % 1;
    // An error of rounding is not a revolution.
    const turn = (angle - present + 1 + 1e-9) % 1;
    return turn * rotationNs;
  }

  #sectorNs(sector: number): number {
    return this.geometry.rotationNs / this.geometry.place(sector).sectorsPerTrack;
  }

  #segmentOf(first: number, count: number): Segment | undefined {
    return this.#segments.find((each) => each.first <= first && first + count <= each.end);
  }

  #fromBuffer(segment: Segment, atNs: number, end: number): number {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    this.#segments.push(segment);
    if (end <= segment.filled) return atNs;
    return Math.max(atNs, segment.sinceNs + (end - segment.filled) * this.#sectorNs(segment.first));
  }

  /** After a read the drive goes on reading, as far as a segment of its buffer reaches. */
  #remember(first: number, end: number, doneNs: number): void {
    const { bufferBytes, bufferSegments } = this.geometry.model;
    const room = Math.floor(bufferBytes / bufferSegments / SECTOR_BYTES);
    this.#forget(first, end);
    if (this.#segments.length >= bufferSegments) this.#segments.shift();
    const until = Math.min(this.geometry.sectorCount, Math.max(end, first + room));
    this.#segments.push({ first, end: until, filled: end, sinceNs: doneNs, reading: true });
  }

  /** The arm is wanted elsewhere: what has not been read by now never will be. */
  #stopReadingAhead(atNs: number): void {
    for (const segment of this.#segments) {
      if (!segment.reading) continue;
      const more = Math.floor((atNs - segment.sinceNs) / this.#sectorNs(segment.first));
      segment.filled = Math.min(segment.end, segment.filled + Math.max(0, more));
      segment.end = segment.filled;
      segment.reading = false;
    }
  }

  #forget(first: number, end: number): void {
    this.#segments = this.#segments.filter((each) => each.end <= first || each.first >= end);
  }
}
