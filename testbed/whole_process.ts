/** Every machine and host of this process in one file, and such a file as machines and hosts again. */

import { SnapshotError, type SnapshotValue } from "../core/lib/snapshot.ts";
import type { Host } from "./host/host.ts";
import type { HostCode } from "./host/host_file.ts";
import { hosts } from "./host_registry.ts";
import type { PcMachine } from "./machine/machine.ts";
import type { Machine } from "./machine_api.ts";
import { machines } from "./machine_registry.ts";
import { boxes } from "./watched_boxes.ts";

/** Machines and hosts. */
export interface WholeProcess {
  readonly machines: readonly Machine[];
  readonly hosts: readonly Host[];
}

/** What lies in a file, in its order. */
interface Part {
  readonly kind: "machine" | "host";
  /** How many sections are its own. */
  readonly sections: number;
}

/**
 * Writes all machines and hosts of this process, or those that are named, to one file, in one step; resolves with its
 * digest. Rejects with a `TypeError` that names what cannot be saved: what runs, and what is made of a script's programs.
 */
export async function saveAll(path: string, what: Partial<WholeProcess> = {}): Promise<string> {
  const { machines: chosen = [...machines], hosts: chosenHosts = allHosts() } = what;
  const { machineSections } = await import("./snapshot/snapshot_file.ts");
  const { hostSections } = await import("./host/host_file.ts");
  const { encodeValue } = await import("./snapshot/record_codec.ts");
  const { writeSections } = await import("./snapshot/section_file.ts");
  const running = chosen.find(({ running }) => running);
  if (running) throw new TypeError(`machine ${running.name} is running: interrupt it first`);
  // All are taken at one go: nothing of the process happens in between.
  const saved = [
    ...chosen.map((each) => ["machine", machineSections((each as PcMachine).toSave())] as const),
    ...chosenHosts.map((each) => ["host", hostSections(each)] as const),
  ];
  const parts: Part[] = saved.map(([kind, { length: sections }]) => ({ kind, sections }));
  const manifest = encodeValue({ kind: "process", parts } as unknown as SnapshotValue);
  return await writeSections(path, [manifest, ...saved.flatMap(([, sections]) => sections)]);
}

/**
 * Makes the machines and hosts that {@link saveAll} wrote; `code` is what the hosts name, as for `Host.load`. Rejects with a
 * `SnapshotError` that says what is wrong.
 */
export async function loadAll(path: string, code?: HostCode): Promise<WholeProcess> {
  const { readManifest, readSections } = await import("./snapshot/section_file.ts");
  const { savedMachine } = await import("./snapshot/snapshot_file.ts");
  const { hostOf, savedHost } = await import("./host/host_file.ts");
  const { machineOf } = await import("./machine.ts");
  return await readSections(path, async ({ sections: [first, ...rest] }) => {
    const parts = readManifest([first], "process").parts as unknown as readonly Part[];
    const made = { machines: [] as Machine[], hosts: [] as Host[] };
    // All is read before anything is made.
    const saved = [];
    for (const { kind, sections } of parts) {
      const own = rest.splice(0, sections);
      if (own.length < sections) throw new SnapshotError("a part of it is not there");
      saved.push(
        kind === "machine"
          ? { kind, saved: await savedMachine(own) } as const
          : { kind, saved: savedHost(own) } as const,
      );
    }
    for (const each of saved) {
      if (each.kind === "machine") made.machines.push(await machineOf(each.saved));
      else made.hosts.push(await hostOf(each.saved, code));
    }
    for (const host of made.hosts) hosts.add(host);
    return made;
  });
}

/** The hosts of this process. Throws `TypeError` if it has what is neither machine nor host. */
function allHosts(): Host[] {
  const found = [...hosts].map(([, host]) => host);
  for (const { name, holder } of boxes) {
    if (!found.includes(holder as Host)) {
      throw new TypeError(`${name} is modelled: its programs are no data that a file can keep`);
    }
  }
  return found;
}
