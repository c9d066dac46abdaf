/**
 * How long Debian's kernels take to a shell's prompt, and 200 times fork and exec of busybox then: ours beside the peers
 * that are installed, one after the other. The images must be in the cache (`xenarium images add debian debian-686`).
 * The environment variable XENARIUM_BENCH restricts it to guests whose name contains one of its comma-separated texts.
 */

import { debian } from "../testbed/images/mod.ts";
import { defineScenario } from "../testbed/scenarios/scenario.ts";
import { table } from "../testbed/tables.ts";
import { type LinuxEngine, type LinuxGuest, type LinuxTimes, measureLinux } from "./linux/linux.ts";
import { ownLinux } from "./linux/own_linux.ts";
import { qemuLinux } from "./linux/qemu_linux.ts";
import { v86Linux } from "./linux/v86_linux.ts";

const PEERS: readonly LinuxEngine[] = [qemuLinux, v86Linux];
const WAYS = { bzImage: "bzImage", vmlinux: "PVH" } as const;

const GUESTS: readonly Omit<LinuxGuest, "files">[] = [
  { flavour: "amd64", role: "vmlinux", cpus: 1 },
  { flavour: "amd64", role: "vmlinux", cpus: 4 },
  { flavour: "686", role: "bzImage", cpus: 1 },
];

export default defineScenario({
  summary: "Debian's kernels to the prompt, and fork and exec, on ours, QEMU TCG and v86",

  async run({ print, signal }) {
    const wanted = (Deno.env.get("XENARIUM_BENCH") ?? "").split(",");
    const engines = [ownLinux];
    for (const peer of PEERS) if (await peer.available()) engines.push(peer);
    const rows: (string | number)[][] = [];
    for (
      const guest of GUESTS.filter((each) => wanted.some((text) => nameOf(each).includes(text)))
    ) {
      const files = await debian(guest.flavour);
      const found = new Map<LinuxEngine, LinuxTimes>();
      for (const engine of engines.filter(({ runs }) => runs({ ...guest, files }))) {
        if (signal.aborted) return;
        found.set(engine, await measureLinux(engine, { ...guest, files }, signal));
      }
      for (const what of ["boot", "forks"] as const) {
        rows.push([`${nameOf(guest)}: ${TITLES[what]}`, ...cells(engines, found, what)]);
      }
    }
    const [, ...peers] = engines.map(({ name }) => name);
    print(
      table(["seconds", ownLinux.name, ...peers, ...peers.map((name) => `ours / ${name}`)], rows),
    );
  },
});

const TITLES = { boot: "to the prompt", forks: "200 x fork and exec" } as const;

function nameOf({ flavour, role, cpus }: Omit<LinuxGuest, "files">): string {
  return `Debian ${flavour}, ${WAYS[role]}, ${cpus} CPU${cpus > 1 ? "s" : ""}`;
}

/** The times in seconds, then how many times as long ours takes. */
function cells(
  engines: readonly LinuxEngine[],
  found: ReadonlyMap<LinuxEngine, LinuxTimes>,
  what: keyof LinuxTimes,
): (string | number)[] {
  const times = engines.map((engine) => found.get(engine)?.[what]);
  const [own, ...peers] = times;
  const show = (value: number | undefined) =>
    value === undefined ? "-" : Number(value.toPrecision(3));
  return [
    ...times.map((ms) => show(ms === undefined ? ms : ms / 1000)),
    ...peers.map((ms) => show(ms === undefined || own === undefined ? undefined : own / ms)),
  ];
}
