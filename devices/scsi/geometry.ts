/**
 * Where the sectors of a disk are: zones of tracks, and the angle at which a sector passes under its head.
 *
 * A disk is a table. {@link DK32EJ} is the one of the SOSP'03 testbed; its capacity and speed of rotation are the
 * paper's, the rest is what drives of its class and year had, as each line says.
 */

/** Neighbouring cylinders whose tracks hold equally many sectors. */
export interface Zone {
  readonly cylinders: number;
  readonly sectorsPerTrack: number;
}

/** A disk's mechanics and electronics. Times in nanoseconds. */
export interface DiskModel {
  readonly name: string;
  /** Revolutions per minute. */
  readonly rpm: number;
  readonly heads: number;
  /** From the outer edge, where sector 0 is. */
  readonly zones: readonly Zone[];
  /** To the next cylinder, settling included. */
  readonly seekTrackNs: number;
  /** Over a third of the cylinders: what data sheets call average. */
  readonly seekAverageNs: number;
  /** From edge to edge. */
  readonly seekFullNs: number;
  /** What a write settles longer than a read. */
  readonly writeSettleNs: number;
  readonly headSwitchNs: number;
  /** Between a command and its first movement. */
  readonly commandNs: number;
  /** Of the bus, in bytes per second. */
  readonly busBytesPerSecond: number;
  /** How many streams of reads the buffer follows. */
  readonly bufferSegments: number;
  readonly bufferBytes: number;
  /** Commands that the drive holds and orders by itself. */
  readonly tags: number;
}

/**
 * Hitachi DK32EJ, 146 GB, 10,000 revolutions a minute (SOSP'03, section 4). No data sheet of it is public any more.
 * Supposed, after drives of its class and year: zones between 72 and 40 MB/s, seeks of 0.5, 4.9 and 10.5 ms, 8 MB.
 */
export const DK32EJ: DiskModel = {
  name: "Hitachi DK32EJ 146 GB",
  rpm: 10_025,
  heads: 10,
  zones: [
    { cylinders: 12_000, sectorsPerTrack: 840 },
    { cylinders: 12_000, sectorsPerTrack: 720 },
    { cylinders: 10_000, sectorsPerTrack: 600 },
    { cylinders: 8_000, sectorsPerTrack: 480 },
  ],
  seekTrackNs: 500_000,
  seekAverageNs: 4_900_000,
  seekFullNs: 10_500_000,
  writeSettleNs: 400_000,
  headSwitchNs: 500_000,
  commandNs: 100_000,
  busBytesPerSecond: 320_000_000,
  bufferSegments: 8,
  bufferBytes: 8 << 20,
  tags: 32,
};

/** A sector's place. */
export interface Place {
  readonly cylinder: number;
  readonly head: number;
  /** Of the sector within its track. */
  readonly index: number;
  readonly sectorsPerTrack: number;
  /** Where on the circle it begins: 0 to 1. */
  readonly angle: number;
}

/** The map from sector numbers to places. */
export class ZonedGeometry {
  readonly sectorCount: number;
  readonly cylinders: number;
  /** Time of one revolution, in nanoseconds. */
  readonly rotationNs: number;
  readonly #zones: readonly (Zone & { firstSector: number; firstCylinder: number })[];
  readonly #trackSkew: number;
  readonly #cylinderSkew: number;

  constructor(readonly model: DiskModel) {
    this.rotationNs = 60e9 / model.rpm;
    let firstSector = 0;
    let firstCylinder = 0;
    this.#zones = model.zones.map((zone) => {
      const placed = { ...zone, firstSector, firstCylinder };
      firstSector += zone.cylinders * model.heads * zone.sectorsPerTrack;
      firstCylinder += zone.cylinders;
      return placed;
    });
    this.sectorCount = firstSector;
    this.cylinders = firstCylinder;
    // Tracks are turned against each other so that a stream goes on right after a switch.
    this.#trackSkew = model.headSwitchNs / this.rotationNs;
    this.#cylinderSkew = (model.seekTrackNs + model.writeSettleNs) / this.rotationNs;
  }

  /** Throws `RangeError` for a sector that the disk does not have. */
  place(sector: number): Place {
    if (!(sector >= 0 && sector < this.sectorCount)) {
      throw new RangeError(`sector ${sector} is not within the disk's ${this.sectorCount}`);
    }
    const zone = this.#zones.findLast(({ firstSector }) => sector >= firstSector)!;
    const { sectorsPerTrack, firstCylinder, firstSector } = zone;
    const track = Math.floor((sector - firstSector) / sectorsPerTrack);
    const index = sector - firstSector - track * sectorsPerTrack;
    const head = track % this.model.heads;
    const cylinder = firstCylinder + Math.floor(track / this.model.heads);
    const switches = cylinder * (this.model.heads - 1) + head;
    const skew = switches * this.#trackSkew + cylinder * this.#cylinderSkew;
    const angle = (index / sectorsPerTrack + skew) % 1;
    return { cylinder, head, index, sectorsPerTrack, angle };
  }

  /** How long the arm takes over `distance` cylinders: a root near, a line far, through the model's three points. */
  seekNs(distance: number): number {
    const { seekTrackNs, seekAverageNs, seekFullNs } = this.model;
    if (distance === 0) return 0;
    const third = this.cylinders / 3;
    if (distance <= third) {
      const share = (Math.sqrt(distance) - 1) / (Math.sqrt(third) - 1);
      return seekTrackNs + (seekAverageNs - seekTrackNs) * share;
    }
    const share = (distance - third) / (this.cylinders - third);
    return seekAverageNs + (seekFullNs - seekAverageNs) * share;
  }
}
