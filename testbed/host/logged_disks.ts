/**
 * Disks in the log of a host: what a disk holds is written down when it is first given to a domain, and later mentioned by
 * its number, since what guests write to it happens again.
 */

import { SnapshotError, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { DiskImage } from "../../devices/disk/mod.ts";
import type { DiskConfig } from "./domain_config.ts";
import { imageOf, type SavedImage, savedImage } from "./saved_images.ts";

/** What a disk held when it was first given to a domain. */
interface FirstContent {
  readonly base: SavedImage;
  /** The bytes of a base that is no file. */
  readonly pieces: readonly Uint8Array[];
  /** What had been written over it. */
  readonly overlay: SnapshotRecord;
}

/** A disk of a domain, as a log has it. */
export interface LoggedDisk extends Omit<DiskConfig, "image" | "onDetached"> {
  /** Counts the disks of a log. */
  readonly number: number;
  /** `null` if the log had this disk before. */
  readonly content: FirstContent | null;
}

/** Turns disks into what a log has of them. */
export class DiskLogger {
  readonly #numbers = new Map<DiskImage, number>();

  logged({ image, vdev, readonly, backend }: DiskConfig): LoggedDisk {
    const known = this.#numbers.get(image);
    const number = known ?? this.#numbers.size;
    this.#numbers.set(image, number);
    const content = known === undefined ? contentOf(image) : null;
    return { vdev, readonly, backend, number, content };
  }
}

/** Makes the disks of a log again. */
export class DiskReader {
  readonly #images: DiskImage[] = [];

  /** Throws {@link SnapshotError} for a file that is not there or is another one. */
  read({ number, content, ...disk }: LoggedDisk): DiskConfig {
    if (content) {
      const { base, pieces, overlay } = content;
      const image = this.#images[number] = imageOf(base, (piece) => pieces[piece]);
      image.restore(overlay);
    }
    const image = this.#images[number];
    if (!image) throw new SnapshotError(`it names disk ${number} before it says what that holds`);
    return { ...disk, image };
  }
}

function contentOf(image: DiskImage): FirstContent {
  const pieces: Uint8Array[] = [];
  const base = savedImage(image, (piece) => pieces.push(piece) - 1);
  return { base, pieces, overlay: image.save() };
}
