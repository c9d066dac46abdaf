/**
 * Debian domains with a part to play: web servers under load from outside, and neighbours that disturb them. What a
 * scenario is made of when it runs real kernels instead of modelled ones.
 */

import type { Cycles } from "../../core/clock/clock.ts";
import { Random } from "../../core/lib/random.ts";
import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import { DiskImage, zeroBase } from "../../devices/disk/mod.ts";
import { formatIpv4, type Ipv4Address, parseIpv4, parseMac } from "../../devices/net/mod.ts";
import { UserNetwork } from "../../devices/usernet/mod.ts";
import type { CpioEntry } from "../../guests/linux/mod.ts";
import type { Host, HostDomain } from "../host/host.ts";
import type { DebianGuest } from "../images/mod.ts";
import type { StopReason } from "../machine_api.ts";
import { parseDuration, parseSize } from "../units.ts";
import { describeStop } from "../views.ts";
import { WebClients } from "./web_clients.ts";

/** What a domain of a laboratory does once it is told to {@link LabDomain.start}. */
export const LAB_ROLES = {
  server: "serves a page by busybox's httpd",
  "disk hog": "writes its disk from end to end by dd, again and again",
  "fork loop": "starts and ends processes as fast as it can",
  "memory toucher": "writes to all memory that it can get, again and again",
} as const;

/** One of {@link LAB_ROLES}. */
export type LabRole = keyof typeof LAB_ROLES;

/** A domain to add. */
export interface LabDomainConfig {
  readonly name: string;
  readonly role: LabRole;
  /** Default `96MiB`. */
  readonly memory?: string;
  /** Size of the page that a server serves; default `8KiB`. */
  readonly page?: string;
}

/** Clients of a server, and what they ask for. */
export interface LabLoad {
  readonly clients: number;
  /** Mean time from an answer to the next request; default `100ms`. */
  readonly think?: string;
  /** After so long an answer counts as failed; default `3s`. */
  readonly patience?: string;
}

/** A domain of a laboratory. */
export interface LabDomain {
  readonly domain: HostDomain;
  readonly role: LabRole;
  readonly address: Ipv4Address;
  /** Has it play its part from now on. */
  start(): void;
}

const PAGE_BYTES = 4096;
const BRIDGE = "br0";
const CARD = { bridge: BRIDGE } as const;
const GATEWAY = "10.0.0.1";
const FIRST_ADDRESS = parseIpv4("10.0.0.16");
const DISK_BYTES = 32 * 2 ** 20;
const PROMPT = "xenarium# ";
/** Simulated time that a domain may take to its prompt. */
const PATIENCE_SECONDS = 120;
const MODULES = ["xen-netfront", "xen-blkfront"];

/** What each role runs, as a script of its initramfs. */
const SCRIPTS: Readonly<Record<LabRole, string>> = {
  server: "httpd -h /www",
  "disk hog":
    "until [ -b /dev/xvda ]; do sleep 0.1; done; while :; do dd if=/dev/zero of=/dev/xvda bs=64k 2> /dev/null; sync; done &",
  "fork loop": "for n in 1 2 3 4; do while :; do /bin/true; done & done",
  "memory toucher":
    "mount -t tmpfs -o size=60% tmpfs /mnt; while :; do dd if=/dev/zero of=/mnt/all bs=64k 2> /dev/null; rm /mnt/all; done &",
};

/** See the module comment. */
export class DebianLab {
  readonly domains: LabDomain[] = [];
  readonly #random: Random;
  #network: UserNetwork | null = null;
  #guest: DebianGuest | null = null;
  /** Domains at their prompts, by their memory. */
  readonly #booted = new Map<string, SnapshotRecord>();

  /** A laboratory on a host; `seed` decides when clients ask. */
  constructor(readonly host: Host, options: { readonly seed?: number } = {}) {
    this.#random = new Random(options.seed ?? 1);
  }

  /** The kernel's name and the SHA-256 of its image, for records; known once there is a domain. */
  get image(): { readonly name: string; readonly sha256: string } | null {
    const image = this.#guest?.image;
    return image ? { name: image.name, sha256: image.files.bzImage.sha256 } : null;
  }

  /** Simulated seconds since the host's start. */
  get seconds(): number {
    const { clock } = this.host.hardware;
    return clock.now / clock.frequencyHz;
  }

  /** CPU time that was used so far, of all CPUs together, in seconds. */
  get busySeconds(): number {
    const { dispatcher, hardware } = this.host;
    const cycles = dispatcher.cpus.reduce((sum, { id }) => sum + dispatcher.busyCycles(id), 0);
    return cycles / hardware.clock.frequencyHz;
  }

  /** Memory that belongs to no domain, in bytes. */
  get freeBytes(): number {
    return this.host.hypervisor.frames.freeFrames * PAGE_BYTES;
  }

  /**
   * Adds a domain, and runs until its network is up and it waits for its part. The first one of a size boots; it and the
   * others are copies of what came up, as domains made of one saved image are. Rejects with the signal's reason once it has fired.
   */
  async add(config: LabDomainConfig, signal?: AbortSignal): Promise<LabDomain> {
    const { name, role, memory = "96MiB", page = "8KiB" } = config;
    const address = FIRST_ADDRESS + this.domains.length as Ipv4Address;
    const image = this.#booted.get(memory) ?? await this.#boot(memory, signal);
    const domain = this.host.restoreDomain(image, { name, vif: [CARD] });
    this.#network ??= this.#outside();
    if (role === "disk hog") {
      const disk = new DiskImage(zeroBase(DISK_BYTES));
      this.host.zero.plugDisk(domain.id, { vdev: "xvda", image: disk });
    }
    await this.#shell(domain, `sh up.sh ${formatIpv4(address)} ${parseSize(page)}`, signal);
    const start = () => domain.console.send(`sh '${role}.sh'\n`);
    const added: LabDomain = { domain, role, address, start };
    this.domains.push(added);
    return added;
  }

  /** Boots Debian to its prompt and saves it. */
  async #boot(memory: string, signal?: AbortSignal): Promise<SnapshotRecord> {
    const { host } = this;
    const guest = this.#guest ??= await debianWithRoles();
    const domain = await host.create({
      name: "first",
      kernel: guest.vmlinux,
      ramdisk: guest.initrd,
      memory,
      extra: "console=hvc0 quiet",
      vif: [CARD],
    });
    await this.#prompt(domain, signal);
    await host.suspend(domain, { signal });
    signal?.throwIfAborted();
    const image = host.save(domain);
    host.destroy(domain);
    this.#booted.set(memory, image);
    return image;
  }

  /** Puts load on a server. */
  load(server: LabDomain, { clients, think = "100ms", patience = "3s" }: LabLoad): WebClients {
    const { clock } = this.host.hardware;
    return new WebClients(this.#network!, clock, server.address, this.#random.fork(), {
      count: clients,
      path: "/page",
      thinkNs: parseDuration(think),
      patienceNs: parseDuration(patience),
    });
  }

  /** Lets simulated time pass. */
  async run(
    duration: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<StopReason> {
    const { frequencyHz } = this.host.hardware.clock;
    const forCycles = Math.round(parseDuration(duration) * frequencyHz / 1e9) as Cycles;
    return await this.host.run({ forCycles, ...options });
  }

  #outside(): UserNetwork {
    return new UserNetwork({
      clock: this.host.hardware.clock,
      name: "clients",
      port: this.host.zero.bridge(BRIDGE).attach("clients"),
      mac: parseMac("00:16:3e:ff:00:01"),
      address: parseIpv4(GATEWAY),
    });
  }

  async #shell(domain: HostDomain, command: string, signal?: AbortSignal): Promise<void> {
    domain.console.send(`${command}\n`);
    await this.#prompt(domain, signal);
  }

  async #prompt({ name, console }: HostDomain, signal?: AbortSignal): Promise<void> {
    const forCycles = PATIENCE_SECONDS * this.host.hardware.clock.frequencyHz as Cycles;
    const stop = await this.host.run({ untilText: PROMPT, console, forCycles, signal });
    if (stop.kind === "marker") return;
    signal?.throwIfAborted();
    throw new Error(`${name} shows no prompt: ${describeStop(stop)}\n${console.text.slice(-500)}`);
  }
}

/** Debian's kernel with an initramfs that has a script for each role. */
async function debianWithRoles(): Promise<DebianGuest> {
  const { debian } = await import("../images/mod.ts");
  const up = `ip link set eth0 up
ip addr add $1/24 dev eth0
ip route add default via ${GATEWAY}
mkdir /www
head -c $2 /dev/zero | tr '\\0' x > /www/page`;
  const scripts = { up, ...SCRIPTS };
  const files = Object.entries(scripts).map(([name, text]): CpioEntry => ({
    kind: "file",
    path: `root/${name}.sh`,
    mode: 0o755,
    data: new TextEncoder().encode(`${text}\n`),
  }));
  return await debian("amd64", { files, modules: MODULES });
}
