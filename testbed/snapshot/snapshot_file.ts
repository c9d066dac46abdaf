/**
 * A machine in one file: what it was made of (kernel or ROM and disks included), how it stands, and its RAM.
 *
 * Such a file needs nothing else, so that a stranger can open it; disks that were given as paths are the exception: they
 * are named with their digests, and what guests wrote to them is in the file.
 */

import { createHash } from "node:crypto";
import { SnapshotError, type SnapshotRecord, type SnapshotValue } from "../../core/lib/snapshot.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { MachineImages } from "../machine_images.ts";
import type { ImageSource, MachineOptions } from "../machine_api.ts";
import { migrate } from "./migrations.ts";
import { indexOf, ramOf, type RamSource, storePages } from "./page_store.ts";
import { encodeValue } from "./record_codec.ts";
import { readManifest, readSections, writeSections } from "./section_file.ts";

/** What is put into a file. */
export interface MachineToSave {
  readonly name: string;
  readonly options: MachineOptions;
  readonly images: MachineImages;
  readonly memory: MachineMemory;
  /** Everything but RAM. */
  readonly state: SnapshotRecord;
  /** Inputs to come. */
  readonly inputs: SnapshotValue;
}

/** What a file holds. */
export interface SavedMachine {
  readonly name: string;
  readonly options: MachineOptions;
  readonly images: MachineImages;
  /** The machine's record without RAM, and that. */
  readonly record: SnapshotRecord;
  readonly ram: RamSource;
  /** Inputs to come: of those that waited, and of the future of a machine that was sent back. */
  readonly inputs: SnapshotValue;
  /** What the file is known by. */
  readonly digest: string;
}

/** An image: a section of the file, or one of the host's files. */
type SavedImage = { readonly section: number } | ReferredImage;

interface ReferredImage {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** The first section. */
interface Manifest {
  readonly kind: "machine";
  readonly name: string;
  readonly options: { readonly [name: string]: SnapshotValue };
  readonly boot: {
    readonly kind: "kernel" | "rom";
    readonly images: readonly SavedImage[];
    readonly hasInitrd: boolean;
  };
  readonly disks: readonly SavedImage[];
  readonly cdrom: SavedImage | null;
  readonly record: SnapshotRecord;
  readonly inputs: SnapshotValue;
  readonly pages: Uint8Array;
  /** The number of the first section with pages. */
  readonly firstChunk: number;
}

/** Options that name images, whose bytes lie elsewhere. */
const IMAGE_OPTIONS: readonly string[] = ["kernel", "initrd", "modules", "bios", "disks", "cdrom"];

/** Writes a machine that stands still to `path`, in one step; resolves with the file's digest. */
export async function writeSnapshotFile(path: string, machine: MachineToSave): Promise<string> {
  return await writeSections(path, machineSections(machine));
}

/** What the file of a machine that stands still consists of. */
export function machineSections(machine: MachineToSave): Uint8Array[] {
  const sections: Uint8Array[] = [];
  const embed = (bytes: Uint8Array): SavedImage => ({ section: sections.push(bytes) });
  const { options, images } = machine;
  const drive = (bytes: Uint8Array, source: ImageSource | undefined): SavedImage =>
    typeof source === "string"
      ? { path: source, sizeBytes: bytes.length, sha256: sha256(bytes) }
      : embed(bytes);
  const { boot } = images;
  const bootImages = boot.kind === "rom"
    ? [boot.bios, boot.vgabios]
    : [boot.kernel, ...(boot.initrd ? [boot.initrd] : []), ...boot.modules];
  const { index, chunks } = storePages(machine.memory);
  const manifest: Manifest = {
    kind: "machine",
    name: machine.name,
    options: plainOptions(options),
    boot: {
      kind: boot.kind,
      images: bootImages.map(embed),
      hasInitrd: boot.kind === "kernel" && boot.initrd !== null,
    },
    disks: images.disks.map((bytes, i) => drive(bytes, options.disks?.[i])),
    cdrom: images.cdrom && drive(images.cdrom, options.cdrom),
    record: machine.state,
    inputs: machine.inputs,
    pages: new Uint8Array(index.buffer),
    firstChunk: sections.length + 1,
  };
  const first = encodeValue(manifest as unknown as SnapshotValue);
  return [first, ...sections, ...chunks];
}

/** Reads such a file. Rejects with a {@link SnapshotError} that names the file and says what is wrong with it. */
export async function readSnapshotFile(path: string): Promise<SavedMachine> {
  return await readSections(
    path,
    async ({ sections, digest }) => ({ ...await savedMachine(sections), digest }),
  );
}

/** Of the sections that {@link machineSections} gave, the machine. */
export async function savedMachine(
  sections: readonly Uint8Array<ArrayBuffer>[],
): Promise<Omit<SavedMachine, "digest">> {
  const manifest = readManifest(sections, "machine") as unknown as Manifest;
  const bytesOf = async (image: SavedImage) => {
    if ("path" in image) return await readReferred(image);
    const found = sections[image.section];
    if (!found) throw new SnapshotError(`it has no part ${image.section}`);
    return found;
  };
  const { boot, disks, cdrom, firstChunk, pages } = manifest;
  const ram = ramOf({ index: indexOf(pages), chunks: sections.slice(firstChunk) });
  const record = migrate(manifest.record as unknown as SnapshotValue) as unknown as SnapshotRecord;
  const bootImages = await Promise.all(boot.images.map(bytesOf));
  return {
    name: manifest.name,
    options: manifest.options as MachineOptions,
    images: {
      boot: boot.kind === "rom" ? romImages(bootImages) : kernelImages(bootImages, boot.hasInitrd),
      disks: await Promise.all(disks.map(bytesOf)),
      cdrom: cdrom && await bytesOf(cdrom),
    },
    record,
    ram,
    inputs: manifest.inputs,
  };
}

function romImages([bios, vgabios]: readonly Uint8Array[]): MachineImages["boot"] {
  return { kind: "rom", bios, vgabios };
}

function kernelImages(images: readonly Uint8Array[], hasInitrd: boolean): MachineImages["boot"] {
  const [kernel, ...others] = images;
  const initrd = hasInitrd ? others[0] : null;
  return { kind: "kernel", kernel, initrd, modules: hasInitrd ? others.slice(1) : others };
}

async function readReferred(
  { path, sizeBytes, sha256: expected }: ReferredImage,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new SnapshotError(`the disk that it was taken with, ${path}, cannot be read`, {
      cause: error,
    });
  }
  if (bytes.length === sizeBytes && sha256(bytes) === expected) return bytes;
  throw new SnapshotError(`${path} is not the disk that it was taken with: its SHA-256 differs`);
}

/** Options as plain data; images become their names, or a mark that they had none. */
export function plainOptions(options: MachineOptions): { readonly [name: string]: SnapshotValue } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      IMAGE_OPTIONS.includes(name) ? nameless(value) : value as SnapshotValue,
    ]),
  );
}

/** Bytes of images replaced by an empty array: the option is there, its bytes are not looked at any more. */
function nameless(value: unknown): SnapshotValue {
  if (value instanceof Uint8Array) return new Uint8Array();
  if (Array.isArray(value)) return value.map(nameless);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).filter(([, each]) => each !== undefined)
        .map(([name, each]) => [name, nameless(each)]),
    );
  }
  return value as SnapshotValue;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
