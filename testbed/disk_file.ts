/** Disks made of files: read as they are needed; what a guest writes stays in the overlay until somebody commits it. */

import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { resolve } from "node:path";
import { DiskImage } from "../devices/disk/mod.ts";

/** A disk over a file. */
export interface FileDisk {
  /** From the root of the file system. */
  readonly path: string;
  readonly readonly: boolean;
  readonly image: DiskImage;
  /** Writes the overlay to the file. Throws the system's error if that fails. */
  commit(): void;
  /** Closes the file; whoever reads the image afterwards, as one that went back in time may, opens it again. */
  close(): void;
}

/** The files that images were made of. */
const FILES = new WeakMap<DiskImage, FileDisk>();

/** The file that an image lies over, or `null` if there is none. */
export function fileDiskOf(image: DiskImage): FileDisk | null {
  return FILES.get(image) ?? null;
}

/**
 * Opens `path` as a disk. Throws an `Error` that names the file if it is not there, is no file, or is to be written and
 * may not be.
 */
export function openFileDisk(
  path: string,
  { readonly }: { readonly readonly: boolean },
): FileDisk {
  let open: number | null = null;
  const file = () => open ??= openedFile(path, readonly);
  const { size: sizeBytes } = fstatSync(file());
  const read = (offset: number, into: Uint8Array) => {
    for (let done = 0; done < into.length;) {
      const count = readSync(file(), into, done, into.length - done, offset + done);
      if (count === 0) throw new Error(`the disk ${path} has become shorter`);
      done += count;
    }
  };
  const image = new DiskImage({ sizeBytes, read });
  const write = (offset: number, bytes: Uint8Array) =>
    void writeSync(file(), bytes, 0, bytes.length, offset);
  const close = () => {
    if (open !== null) closeSync(open);
    open = null;
  };
  const disk = {
    path: resolve(path),
    readonly,
    image,
    commit: () => image.commit({ write }),
    close,
  };
  FILES.set(image, disk);
  return disk;
}

function openedFile(path: string, readonly: boolean): number {
  const file = explained(path, () => {
    accessSync(path, readonly ? constants.R_OK : constants.R_OK | constants.W_OK);
    return openSync(path, readonly ? "r" : "r+");
  });
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  throw new Error(`the disk ${path} is not a file`);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "is not there",
  EACCES: "may not be opened for what it is wanted for",
  EROFS: "is on a file system that is read-only",
  EISDIR: "is a directory",
};

function explained<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    const { code, name } = error as { code?: string; name?: string };
    const reason = REASONS[code ?? ""] ??
      (name === "NotCapable" ? "is not among what this process may read and write" : code);
    throw new Error(`the disk ${path} ${reason}`, { cause: error });
  }
}
