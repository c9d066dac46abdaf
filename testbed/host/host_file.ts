/**
 * A host in one file: its options, the kernels of its domains, how hypervisor, domain 0 and virtual CPUs stand, and its RAM.
 *
 * Who reads it boots such a host, creates the same domains in the same order, and puts them where the saved ones were. So
 * a host is refused whose domains are more than their configurations: modelled ones, drivers' domains, those that came by
 * a restore or a migration, those with disks, and a host from which one has gone.
 */

import { SnapshotError, type SnapshotRecord, type SnapshotValue } from "../../core/lib/snapshot.ts";
import type { DomainConfig } from "./domain_config.ts";
import type { Host, HostOptions } from "./host.ts";
import { saveHost } from "./host_snapshot.ts";
import { migrate } from "../snapshot/migrations.ts";
import { indexOf, ramOf, type RamSource, storePages } from "../snapshot/page_store.ts";
import { encodeValue } from "../snapshot/record_codec.ts";
import { readManifest } from "../snapshot/section_file.ts";

/** A domain's configuration with its images read, and its console. */
interface SavedDomain {
  readonly config: { readonly [name: string]: SnapshotValue };
  /** Numbers of sections. */
  readonly kernel: number;
  readonly ramdisk: number | null;
  readonly console: SnapshotRecord;
}

/** The first section. */
interface Manifest {
  readonly kind: "host";
  readonly options: { readonly [name: string]: SnapshotValue };
  readonly domains: readonly SavedDomain[];
  readonly record: SnapshotRecord;
  readonly pages: Uint8Array;
  readonly firstChunk: number;
}

/** What a file says of a host. */
export interface SavedHost {
  readonly options: HostOptions;
  readonly domains: readonly { readonly config: DomainConfig; readonly console: SnapshotRecord }[];
  /** Everything but RAM, and that. */
  readonly record: SnapshotRecord;
  readonly ram: RamSource;
}

/** What the file of a host that stands still consists of. Throws `TypeError` that says why it cannot be saved. */
export function hostSections(host: Host): Uint8Array[] {
  const why = whyNotSaved(host);
  if (why !== null) throw new TypeError(`this host cannot be saved to a file: ${why}`);
  const sections: Uint8Array[] = [];
  const embed = (bytes: Uint8Array) => sections.push(bytes);
  const record = saveHost(host);
  const { index, chunks } = storePages(host.hardware.memory);
  const domains = host.domains.map(({ config, console }): SavedDomain => {
    const { kernel, ramdisk, ...rest } = config!;
    return {
      config: plain(rest),
      kernel: embed(kernel),
      ramdisk: ramdisk ? embed(ramdisk) : null,
      console: console.save(),
    };
  });
  const manifest: Manifest = {
    kind: "host",
    options: plain(host.options),
    domains,
    record,
    pages: new Uint8Array(index.buffer),
    firstChunk: sections.length + 1,
  };
  return [encodeValue(manifest as unknown as SnapshotValue), ...sections, ...chunks];
}

/** Of the sections that {@link hostSections} gave, the host. Throws {@link SnapshotError} for what is wrong with them. */
export function savedHost(sections: readonly Uint8Array<ArrayBuffer>[]): SavedHost {
  const { options, domains, record, pages, firstChunk } = readManifest(
    sections,
    "host",
  ) as unknown as Manifest;
  const bytesOf = (section: number) => {
    if (sections[section]) return sections[section];
    throw new SnapshotError(`it has no part ${section}`);
  };
  return {
    options: options as unknown as HostOptions,
    domains: domains.map(({ config, kernel, ramdisk, console }) => ({
      config: {
        ...config as unknown as DomainConfig,
        kernel: bytesOf(kernel),
        ramdisk: ramdisk === null ? undefined : bytesOf(ramdisk),
      },
      console,
    })),
    record: migrate(record as unknown as SnapshotValue) as unknown as SnapshotRecord,
    ram: ramOf({ index: indexOf(pages), chunks: sections.slice(firstChunk) }),
  };
}

/** The host that a file tells of. Rejects with {@link SnapshotError} if it cannot be made again. */
export async function hostOf({ options, domains, record, ram }: SavedHost): Promise<Host> {
  const { Host } = await import("./host.ts");
  const host = await Host.boot(options);
  for (const { config } of domains) await host.create(config);
  host.restore(record, ram);
  domains.forEach(({ console }, i) => host.domains[i].console.restore(console));
  return host;
}

/** Why nobody could make this host again from a file, or `null`. */
function whyNotSaved(host: Host): string | null {
  const { domains, modelled, options, zero } = host;
  if (host.running) return "it is running";
  if (options.policy) return "its policy is a script's";
  if (modelled.all.length > 0) {
    const names = modelled.all.map(({ name }) => name).join(", ");
    return `it has modelled domains (${names}), whose programs are no data`;
  }
  for (const { config, id, name } of domains) {
    if (config === null) return `domain ${name} was not created from a kernel`;
    if (zero.disksOf(id).length > 0) {
      return `domain ${name} has a disk, which is its owner's to keep`;
    }
    const cards = config.vif?.length ?? 0;
    if (zero.cardsOf(id).length !== cards) return `cards of domain ${name} came or went later`;
  }
  return host.created === domains.length ? null : "a domain of it has gone";
}

function plain(options: object): { readonly [name: string]: SnapshotValue } {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as { readonly [name: string]: SnapshotValue };
}
