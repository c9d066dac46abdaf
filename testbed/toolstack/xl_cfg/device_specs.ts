/**
 * Disks and network cards as `xl.cfg` and `xl ...-attach` write them.
 *
 * Source: Xen's `docs/man/xl-disk-configuration.5.pod` and `docs/man/xl-network-configuration.5.pod.in`.
 */

import { suggest } from "../../suggestion.ts";

/** A disk to plug in. */
export interface DiskSpec {
  /** The file that it is made of. */
  readonly target: string;
  readonly vdev: string;
  readonly readonly: boolean;
  /** The name or the number of the domain that serves it; default: domain 0. */
  readonly backend?: string;
}

/** A network card to plug in. */
export interface VifSpec {
  readonly mac?: string;
  readonly bridge?: string;
  /** As `xl` writes it, for example `10Mb/s@50ms`. */
  readonly rate?: string;
  readonly vifname?: string;
  /** The name or the number of the domain that serves it; default: domain 0. */
  readonly backend?: string;
}

const DISK_POSITIONS = ["target", "format", "vdev", "access"];
const DISK_KEYS = [
  ...DISK_POSITIONS,
  "devtype",
  "backend",
  "backendtype",
  "direct-io-safe",
  "discard",
];
const ACCESS: Readonly<Record<string, boolean>> = { r: true, ro: true, w: false, rw: false };
const VIF_KEYS = ["mac", "bridge", "rate", "backend", "vifname", "ip", "script", "type", "model"];

/** Reads `target,format,vdev,access` or `key=value` parts. Throws `SyntaxError` that quotes the disk. */
export function parseDisk(text: string): DiskSpec {
  const complain = (what: string) => new SyntaxError(`disk ${JSON.stringify(text)}: ${what}`);
  const parts = new Map<string, string>();
  let rest = text.trim();
  for (let position = 0; rest !== ""; position++) {
    const isTarget = /^target\s*=/.test(rest);
    const [part] = isTarget ? [rest] : rest.split(",", 1);
    rest = rest.slice(part.length + 1).trim();
    const [, key, value] = /^([a-z-]+)\s*=\s*(.*)$/.exec(part.trim()) ?? [];
    const name = key ?? DISK_POSITIONS[position] ?? part.trim();
    if (!DISK_KEYS.includes(name)) throw complain(`unknown ${name}: ${suggest(name, DISK_KEYS)}`);
    parts.set(name, value ?? part.trim());
  }
  const { target, vdev, format, access, backend } = Object.fromEntries(parts);
  if (!target) throw complain("expected a file, as in disk.img,raw,xvda,w");
  if (!vdev) throw complain("expected a virtual device, as in disk.img,raw,xvda,w");
  if (format && format !== "raw") throw complain(`the format ${format} is none of: raw`);
  const readonly = ACCESS[access || "w"];
  if (readonly === undefined) {
    throw complain(`the access ${access} is none of: ${Object.keys(ACCESS).join(", ")}`);
  }
  return { target: target.replace(/^(?:phy|file|tap2?|aio):/, ""), vdev, readonly, backend };
}

/** Reads `key=value` parts, in any order. Throws `SyntaxError` that quotes the card. */
export function parseVif(text: string): VifSpec {
  const complain = (what: string) => new SyntaxError(`vif ${JSON.stringify(text)}: ${what}`);
  const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  const entries = parts.map((part) => {
    const [, key, value] = /^([a-z]+)\s*=\s*(.+)$/.exec(part) ?? [];
    if (key === undefined) throw complain(`expected key=value, found ${part}`);
    if (!VIF_KEYS.includes(key)) throw complain(`unknown ${key}: ${suggest(key, VIF_KEYS)}`);
    return [key, value] as const;
  });
  const { mac, bridge, rate, vifname, backend, type } = Object.fromEntries(entries);
  if (type && type !== "vif") throw complain(`the type ${type} is none of: vif`);
  return { mac, bridge, rate, vifname, backend };
}

const RATE = /^(\d+(?:\.\d+)?)([KMG]?)([bB])\/s(?:@(\d+)(us|ms|s))?$/;
const FACTORS: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9 };
const NANOSECONDS: Readonly<Record<string, number>> = { us: 1e3, ms: 1e6, s: 1e9 };

/** A rate as bytes in each interval (`rate` in xl-network-configuration; interval default 50 ms). */
export function parseVifRate(text: string): { bytes: number; intervalNs: number } {
  const [, value, factor, unit, interval = "50", intervalUnit = "ms"] = RATE.exec(text) ?? [];
  if (value === undefined) {
    throw new SyntaxError(`expected a rate such as 10Mb/s or 1MB/s@20ms, found ${text}`);
  }
  const bytesPerSecond = Number(value) * FACTORS[factor] / (unit === "b" ? 8 : 1);
  const intervalNs = Number(interval) * NANOSECONDS[intervalUnit];
  return { bytes: Math.floor(bytesPerSecond * intervalNs / 1e9), intervalNs };
}
