/** A recorded machine once more: the same start, the same inputs at the same cycles, and the trace hash to prove it. */

import { createHash } from "node:crypto";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import { type MachineImages, readImages } from "../machine_images.ts";
import type { MachineOptions } from "../machine_api.ts";
import { readExisting } from "../read_existing.ts";
import { readSnapshotFile, type SavedMachine } from "../snapshot/snapshot_file.ts";
import { readLog, type ReplayLog } from "./log_file.ts";

/** The snapshot that goes with a log, unless it was moved. */
export function snapshotPathOf(logPath: string): string {
  return `${logPath}.snapshot`;
}

/** What a replay is made of. */
export type ReplayOrigin =
  & { readonly log: ReplayLog; readonly options: MachineOptions; readonly images: MachineImages }
  & { readonly saved: SavedMachine | null };

/**
 * Reads a log and what it begins from. Rejects with a {@link SnapshotError} that says what is wrong with it, or what does
 * not belong to it.
 */
export async function readReplay(path: string, snapshotPath?: string): Promise<ReplayOrigin> {
  const log = await readLogFile(path, readLog);
  const { snapshot, images: digests } = log.start;
  if (snapshot === null) {
    const options = log.start.options as MachineOptions;
    const images = await readImages(options);
    const found = imageDigests(images);
    if (found.length !== digests.length || found.some((digest, i) => digest !== digests[i])) {
      throw new SnapshotError(
        `log ${path}: the images that its machine starts with are not those it was recorded with`,
      );
    }
    return { log, options, images, saved: null };
  }
  const saved = await readSnapshotFile(snapshotPath ?? snapshotPathOf(path));
  if (saved.digest !== snapshot) {
    throw new SnapshotError(
      `log ${path} does not belong to the snapshot ${snapshotPath ?? snapshotPathOf(path)}: ` +
        `it was recorded from one with the digest ${snapshot}`,
    );
  }
  return { log, options: saved.options, images: saved.images, saved };
}

/** Reads a file by `read`, whose complaints then name it. */
export async function readLogFile<Log>(
  path: string,
  read: (bytes: Uint8Array) => Log,
): Promise<Log> {
  const bytes = await readExisting(path);
  try {
    return read(bytes);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new SnapshotError(`log ${path}: ${error.message}`);
  }
}

/** The SHA-256 of each image, in a fixed order. */
export function imageDigests({ boot, disks, cdrom }: MachineImages): string[] {
  const first = boot.kind === "rom"
    ? [boot.bios, boot.vgabios]
    : [boot.kernel, boot.initrd ?? new Uint8Array(), ...boot.modules];
  return [...first, ...disks, cdrom ?? new Uint8Array()]
    .map((bytes) => createHash("sha256").update(bytes).digest("hex"));
}

/** Whether options name all their images, so that they can be read again. */
export function namesAllImages(options: MachineOptions): boolean {
  const { kernel, initrd, bios, cdrom, disks = [], modules = [] } = options;
  const all = [kernel, initrd, bios, cdrom, ...disks, ...modules.map(({ image }) => image)];
  return all.every((image) => image === undefined || typeof image === "string");
}
