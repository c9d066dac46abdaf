/**
 * Disks in the file of a host: what guests wrote is in the host's record; of what lies beneath, files are named with their
 * digests, zeros are counted, and all else is in the file.
 */

import { createHash } from "node:crypto";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import { DiskImage, type ReadonlyBytes, zeroBase } from "../../devices/disk/mod.ts";
import { type FileDisk, fileDiskOf, openFileDisk } from "../disk_file.ts";

/** What lies beneath a disk. */
export type SavedBase =
  | { readonly kind: "blank"; readonly sizeBytes: number }
  /** Sections of the file, in order. */
  | { readonly kind: "bytes"; readonly sections: readonly number[] }
  | {
    readonly kind: "file";
    readonly path: string;
    readonly readonly: boolean;
    readonly sizeBytes: number;
    readonly sha256: string;
  };

/** A disk in a file. */
export interface SavedImage {
  /** The disk's, which may be larger than its base. */
  readonly sizeBytes: number;
  readonly base: SavedBase;
}

/** Bytes that are read at a time, and the size of a section. */
const PIECE_BYTES = 16 * 2 ** 20;

/** What a file says of a disk; `embed` puts bytes into the file and tells their section. */
export function savedImage(image: DiskImage, embed: (bytes: Uint8Array) => number): SavedImage {
  const { sizeBytes, base } = image;
  const file = fileDiskOf(image);
  if (base.isBlank) return { sizeBytes, base: { kind: "blank", sizeBytes: base.sizeBytes } };
  if (file === null) {
    return { sizeBytes, base: { kind: "bytes", sections: Array.from(piecesOf(base), embed) } };
  }
  const { path, readonly } = file;
  const about = { path, readonly, sizeBytes: base.sizeBytes, sha256: digestOf(base) };
  return { sizeBytes, base: { kind: "file", ...about } };
}

/**
 * The disk that {@link savedImage} told of, as it was before anybody wrote. Throws {@link SnapshotError} for a file that is not
 * there or is another one.
 */
export function imageOf(
  { sizeBytes, base }: SavedImage,
  sectionAt: (section: number) => Uint8Array,
): DiskImage {
  switch (base.kind) {
    case "blank":
      return new DiskImage(zeroBase(base.sizeBytes), { sizeBytes });
    case "bytes":
      return new DiskImage(joined(base.sections.map(sectionAt)), { sizeBytes });
    case "file": {
      const { path, sha256 } = base;
      const { image, close } = openedDisk(path, base.readonly);
      if (image.base.sizeBytes === base.sizeBytes && digestOf(image.base) === sha256) return image;
      close();
      throw new SnapshotError(
        `${path} is not the disk that it was taken with: its SHA-256 differs`,
      );
    }
  }
}

function openedDisk(path: string, readonly: boolean): FileDisk {
  try {
    return openFileDisk(path, { readonly });
  } catch (error) {
    throw new SnapshotError((error as Error).message, { cause: error });
  }
}

function* piecesOf(base: ReadonlyBytes): IterableIterator<Uint8Array> {
  for (let at = 0; at < base.sizeBytes; at += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, base.sizeBytes - at));
    base.read(at, piece);
    yield piece;
  }
}

function digestOf(base: ReadonlyBytes): string {
  const hash = createHash("sha256");
  for (const piece of piecesOf(base)) hash.update(piece);
  return hash.digest("hex");
}

/** Pieces of which all but the last have PIECE_BYTES, as one base. */
function joined(pieces: readonly Uint8Array[]): ReadonlyBytes {
  const sizeBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  const read = (offset: number, into: Uint8Array) => {
    for (let done = 0; done < into.length;) {
      const start = (offset + done) % PIECE_BYTES;
      const piece = pieces[Math.floor((offset + done) / PIECE_BYTES)];
      const part = piece.subarray(start, start + into.length - done);
      into.set(part, done);
      done += part.length;
    }
  };
  return { sizeBytes, read };
}
