/**
 * A host in one file: its options, the kernels of its domains, its disks, how everything of it stands, and its RAM.
 *
 * Who reads it boots such a host and gives it the structure and the state of the record (host_snapshot.ts). Code is in no
 * file: programs of modelled domains and services of outside networks are named, and whoever loads the file gives them. A
 * kernel that a script makes, or a network card of a script's, is refused.
 */

import { SnapshotError, type SnapshotRecord, type SnapshotValue } from "../../core/lib/snapshot.ts";
import type { DiskImage } from "../../devices/disk/mod.ts";
import type { TcpService } from "../../devices/usernet/mod.ts";
import type { Program } from "../../guests/model/mod.ts";
import { migrate } from "../snapshot/migrations.ts";
import { indexOf, ramOf, type RamSource, storePages } from "../snapshot/page_store.ts";
import { plainData } from "../snapshot/plain_data.ts";
import { encodeValue } from "../snapshot/record_codec.ts";
import { readManifest, readSections, writeSections } from "../snapshot/section_file.ts";
import type { Host, HostOptions } from "./host.ts";
import { type HostState, saveHost } from "./host_snapshot.ts";
import { imageOf, type SavedImage, savedImage } from "./saved_images.ts";

/** The first section. */
interface Manifest {
  readonly kind: "host";
  readonly options: { readonly [name: string]: SnapshotValue };
  readonly record: SnapshotRecord;
  readonly images: readonly SavedImage[];
  /** Numbers of sections. */
  readonly kernels: readonly number[];
  readonly pages: Uint8Array;
  readonly firstChunk: number;
}

/** What a file says of a host. */
export interface SavedHost {
  readonly options: HostOptions;
  /** Everything but RAM, and that. */
  readonly record: SnapshotRecord;
  readonly images: readonly DiskImage[];
  readonly kernels: readonly Uint8Array[];
  readonly ram: RamSource;
}

/** The code that a file names and does not hold. */
export interface HostCode {
  /** What processes of modelled domains run. */
  readonly programs?: readonly Program[];
  /** What hosts of outside networks serve. */
  readonly services?: readonly TcpService[];
}

/** Writes a host to `path`, in one step; resolves with the file's digest. Rejects as {@link hostSections} throws. */
export async function writeHost(host: Host, path: string): Promise<string> {
  return await writeSections(path, hostSections(host));
}

/** The host of such a file. Rejects with a {@link SnapshotError} that says what is wrong with it. */
export async function readHost(path: string, code?: HostCode): Promise<Host> {
  return await readSections(
    path,
    async ({ sections }) => await hostOf(savedHost(sections), code),
  );
}

/** What the file of a host that stands still consists of. Throws `TypeError` that says why it cannot be saved. */
export function hostSections(host: Host): Uint8Array[] {
  const why = whyNotSaved(host);
  if (why !== null) throw new TypeError(`this host cannot be saved to a file: ${why}`);
  const sections: Uint8Array[] = [];
  const embed = (bytes: Uint8Array) => sections.push(bytes);
  const { record, belongings } = saveHost(host);
  const { index, chunks } = storePages(host.hardware.memory);
  const manifest: Manifest = {
    kind: "host",
    options: plainData(host.options) as Manifest["options"],
    record,
    images: belongings.images.map((image) => savedImage(image, embed)),
    kernels: belongings.kernels.map(embed),
    pages: new Uint8Array(index.buffer),
    firstChunk: sections.length + 1,
  };
  return [encodeValue(manifest as unknown as SnapshotValue), ...sections, ...chunks];
}

/** Of the sections that {@link hostSections} gave, the host. Throws {@link SnapshotError} for what is wrong with them. */
export function savedHost(sections: readonly Uint8Array<ArrayBuffer>[]): SavedHost {
  const manifest = readManifest(sections, "host") as unknown as Manifest;
  const { options, record, images, kernels, pages, firstChunk } = manifest;
  if (record.version === 1) {
    throw new SnapshotError("its host has version 1, which named domains instead of holding them");
  }
  const bytesOf = (section: number) => {
    if (sections[section]) return sections[section];
    throw new SnapshotError(`it has no part ${section}`);
  };
  return {
    options: options as unknown as HostOptions,
    record: migrate(record as unknown as SnapshotValue) as unknown as SnapshotRecord,
    images: images.map((image) => imageOf(image, bytesOf)),
    kernels: kernels.map(bytesOf),
    ram: ramOf({ index: indexOf(pages), chunks: sections.slice(firstChunk) }),
  };
}

/** The host that a file tells of. Rejects with {@link SnapshotError} if it cannot be made again. */
export async function hostOf(saved: SavedHost, code: HostCode = {}): Promise<Host> {
  const { options, record, images, kernels, ram } = saved;
  const { programs = [], services = [] } = code;
  const { Host } = await import("./host.ts");
  const host = await Host.boot(options);
  const models = record.state.modelled as unknown as SnapshotRecord;
  const state: HostState = {
    record,
    belongings: {
      images,
      kernels,
      services,
      code: (models.state.domains as readonly SnapshotValue[]).map(() => ({ programs })),
    },
  };
  host.restoreState(state, ram);
  return host;
}

/** Why nobody could make this host again from a file, or `null`. */
function whyNotSaved({ running, options, modelled, zero, outside }: Host): string | null {
  if (running) return "it is running";
  if (options.policy) return "its policy is a script's";
  for (const { name, config } of modelled.all) {
    if (config.kernel) {
      return `the kernel of the modelled domain ${name} is a script's, with devices that nobody could make again`;
    }
  }
  for (const { name, ports } of zero.bridges) {
    const cards = new Set(zero.cards.map(({ port }) => port));
    const strange = ports.find((port) =>
      port.attached && !cards.has(port) && !outside.has(name, port.name)
    );
    if (strange) return `what is plugged into ${strange.name} of bridge ${name} is a script's`;
  }
  return null;
}
