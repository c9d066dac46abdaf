/** Snapshot files as lists of sections, the first of which says what they hold: a machine, a host, or a whole process. */

import { SnapshotError, type SnapshotValue } from "../../core/lib/snapshot.ts";
import { readExisting } from "../read_existing.ts";
import { type Container, packSections, unpackSections } from "./container.ts";
import { decodeValue } from "./record_codec.ts";

/** What a file can hold, and who reads it. */
const READERS = { machine: "loadMachine", host: "Host.load", process: "loadAll" } as const;

/** What a file holds. */
export type FileKind = keyof typeof READERS;

/** A file that is whole, and holds something else than was looked for. */
export class OtherKindError extends SnapshotError {
  constructor(readonly kind: FileKind, expected: FileKind) {
    const reader = READERS[kind];
    super(`it holds a ${kind}, not a ${expected}` + (reader ? `: ${reader} reads it` : ""));
  }
}

/** Writes sections to `path`, in one step; resolves with the file's digest. */
export async function writeSections(
  path: string,
  sections: readonly Uint8Array[],
): Promise<string> {
  const { pieces, digest } = await packSections(sections);
  await replaceFile(path, pieces);
  return digest;
}

/**
 * Reads a file and makes of its sections what `make` does. Rejects with a {@link SnapshotError} that names the file
 * and says what is wrong with it.
 */
export async function readSections<Result>(
  path: string,
  make: (container: Container) => Promise<Result>,
): Promise<Result> {
  const file = await readExisting(path);
  try {
    return await make(await unpackSections(file));
  } catch (error) {
    if (error instanceof SnapshotError) {
      throw new SnapshotError(`snapshot ${path}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** The first section; throws {@link SnapshotError} if it is of another kind of file. */
export function readManifest(
  sections: readonly Uint8Array[],
  expected: FileKind,
): { readonly [name: string]: SnapshotValue } {
  if (sections.length === 0) throw new SnapshotError("it is empty");
  const manifest = decodeValue(sections[0]) as { readonly [name: string]: SnapshotValue };
  // The first files held machines and did not say so.
  const kind = (manifest.kind ?? "machine") as FileKind;
  if (kind === expected) return manifest;
  throw new OtherKindError(kind, expected);
}

/** Replaces a file in one step: whoever reads it finds the old one or the new one. */
async function replaceFile(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const partial = `${path}.partial`;
  try {
    using file = await Deno.open(partial, { write: true, create: true, truncate: true });
    for (const piece of pieces) {
      for (let done = 0; done < piece.length;) done += await file.write(piece.subarray(done));
    }
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
  await Deno.rename(partial, path);
}
