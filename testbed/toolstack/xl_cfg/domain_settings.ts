/**
 * What `xl.cfg` says of a domain: each setting with its kind and its limits, and the domain that they describe.
 *
 * Source of names, kinds and defaults: Xen's `docs/man/xl.cfg.5.pod.in`.
 */

import { suggest } from "../../suggestion.ts";
import { type DiskSpec, parseDisk, parseVif, type VifSpec } from "./device_specs.ts";
import { parseXlCfg, show, type XlSetting } from "./xl_cfg_syntax.ts";

/** What happens to a domain that has shut down. */
export const SHUTDOWN_ACTIONS = [
  "destroy",
  "restart",
  "rename-restart",
  "preserve",
  "soft-reset",
] as const;
/** One of {@link SHUTDOWN_ACTIONS}. */
export type ShutdownAction = typeof SHUTDOWN_ACTIONS[number];

/** A domain as its file describes it. Sizes are in MiB, as in the file. */
export interface DomainSettings {
  readonly name: string;
  readonly kernel: string;
  readonly ramdisk?: string;
  readonly cmdline: string;
  readonly memoryMib: number;
  readonly maxmemMib: number;
  readonly vcpus: number;
  readonly maxvcpus: number;
  /** Hard affinity, as a list of CPUs. */
  readonly cpus?: string;
  readonly cpusSoft?: string;
  readonly pool?: string;
  readonly weight?: number;
  readonly cap?: number;
  readonly disks: readonly DiskSpec[];
  readonly vifs: readonly VifSpec[];
  readonly onPoweroff: ShutdownAction;
  readonly onReboot: ShutdownAction;
  readonly onCrash: ShutdownAction;
}

type Kind = "text" | "count" | "texts" | "textOrCounts";

interface SettingRule {
  readonly kind: Kind;
  /** Limits of a count. */
  readonly from?: number;
  readonly to?: number;
  /** The texts that are accepted. */
  readonly among?: readonly string[];
  /** Accepted for the sake of existing files; it changes nothing here. */
  readonly inert?: boolean;
}

const ACTION: SettingRule = { kind: "text", among: SHUTDOWN_ACTIONS };
const MAX_MIB = 1 << 20;

/** Every setting that is understood. */
const RULES: Readonly<Record<string, SettingRule>> = {
  name: { kind: "text" },
  type: { kind: "text", among: ["pv"] },
  builder: { kind: "text", among: ["generic", "linux"] },
  kernel: { kind: "text" },
  ramdisk: { kind: "text" },
  cmdline: { kind: "text" },
  root: { kind: "text" },
  extra: { kind: "text" },
  memory: { kind: "count", from: 1, to: MAX_MIB },
  maxmem: { kind: "count", from: 1, to: MAX_MIB },
  vcpus: { kind: "count", from: 1, to: 128 },
  maxvcpus: { kind: "count", from: 1, to: 128 },
  cpus: { kind: "textOrCounts" },
  cpus_soft: { kind: "textOrCounts" },
  pool: { kind: "text" },
  cpu_weight: { kind: "count", from: 1, to: 65535 },
  cap: { kind: "count", from: 0, to: 65535 },
  disk: { kind: "texts" },
  vif: { kind: "texts" },
  on_poweroff: ACTION,
  on_reboot: ACTION,
  on_crash: ACTION,
  on_watchdog: { ...ACTION, inert: true },
  on_soft_reset: { ...ACTION, inert: true },
  driver_domain: { kind: "count", from: 0, to: 1, inert: true },
  uuid: { kind: "text", inert: true },
  localtime: { kind: "count", inert: true },
  rtc_timeoffset: { kind: "count", from: -86_400, to: 86_400, inert: true },
  vfb: { kind: "texts", inert: true },
  serial: { kind: "text", inert: true },
  max_event_channels: { kind: "count", inert: true },
  max_grant_frames: { kind: "count", inert: true },
  max_maptrack_frames: { kind: "count", inert: true },
};

/**
 * Reads a file. Throws `SyntaxError` or `RangeError` with file, line, what was found and what is accepted.
 */
export function domainSettings(source: string, file = "xl.cfg"): DomainSettings {
  const settings = parseXlCfg(source, file);
  for (const setting of settings.values()) check(setting, file);
  const get = <T>(name: string) => settings.get(name)?.value as T | undefined;
  const needed = (name: string) => {
    const text = get<string>(name);
    if (text !== undefined && text !== "") return text;
    throw new SyntaxError(`${file}: a domain needs a ${name}: ${EXAMPLES[name]}`);
  };
  const memoryMib = get<number>("memory");
  if (memoryMib === undefined) {
    throw new SyntaxError(`${file}: a domain needs memory, in MiB: ${EXAMPLES.memory}`);
  }
  const maxmemMib = get<number>("maxmem") ?? memoryMib;
  const vcpus = get<number>("vcpus") ?? 1;
  const maxvcpus = get<number>("maxvcpus") ?? vcpus;
  const less = (small: string, large: string) =>
    new RangeError(`${file}:${settings.get(large)?.line}: ${large} is less than ${small}`);
  if (maxmemMib < memoryMib) throw less("memory", "maxmem");
  if (maxvcpus < vcpus) throw less("vcpus", "maxvcpus");
  const root = get<string>("root");
  const parts = [root && `root=${root}`, get<string>("extra")].filter((part) => part);
  return {
    name: needed("name"),
    kernel: needed("kernel"),
    ramdisk: get("ramdisk"),
    cmdline: get("cmdline") ?? parts.join(" "),
    memoryMib,
    maxmemMib,
    vcpus,
    maxvcpus,
    cpus: cpuText(get("cpus")),
    cpusSoft: cpuText(get("cpus_soft")),
    pool: get("pool"),
    weight: get("cpu_weight"),
    cap: get("cap"),
    disks: placed(settings.get("disk"), file, parseDisk),
    vifs: placed(settings.get("vif"), file, parseVif),
    onPoweroff: get("on_poweroff") ?? "destroy",
    onReboot: get("on_reboot") ?? "restart",
    onCrash: get("on_crash") ?? "destroy",
  };
}

const EXAMPLES: Readonly<Record<string, string>> = {
  name: `name = "web1"`,
  kernel: `kernel = "debian"`,
  memory: "memory = 128",
};

function check({ name, value, line }: XlSetting, file: string): void {
  const rule = RULES[name];
  const place = `${file}:${line}`;
  if (!rule) {
    throw new SyntaxError(
      `${place}: unknown setting ${name}: ${suggest(name, Object.keys(RULES))}`,
    );
  }
  const found = `found ${show(value)}`;
  switch (rule.kind) {
    case "text":
      if (typeof value !== "string") throw new SyntaxError(`${place}: ${name} is a text, ${found}`);
      if (rule.among && !rule.among.includes(value)) {
        throw new RangeError(`${place}: ${name} is one of ${rule.among.join(", ")}, ${found}`);
      }
      return;
    case "count": {
      const { from = 0, to = Number.MAX_SAFE_INTEGER } = rule;
      if (typeof value !== "number") {
        throw new SyntaxError(`${place}: ${name} is a number, ${found}`);
      }
      if (value < from || value > to) {
        throw new RangeError(`${place}: ${name} is a number from ${from} to ${to}, ${found}`);
      }
      return;
    }
    case "texts":
      if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) {
        throw new SyntaxError(`${place}: ${name} is a list of texts, ${found}`);
      }
      return;
    case "textOrCounts":
      if (typeof value === "string" || typeof value === "number") return;
      if (value.every((each) => typeof each === "number" || typeof each === "string")) return;
      throw new SyntaxError(`${place}: ${name} is a text or a list of numbers, ${found}`);
    default:
      rule.kind satisfies never;
  }
}

function cpuText(value: string | number | readonly (string | number)[] | undefined) {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** Each text of a list, read by `parse`; what that says is wrong gets its place. */
function placed<T>(setting: XlSetting | undefined, file: string, parse: (text: string) => T): T[] {
  return ((setting?.value ?? []) as readonly string[]).map((text) => {
    try {
      return parse(text);
    } catch (error) {
      const { message } = error as Error;
      throw new SyntaxError(`${file}:${setting!.line}: ${message}`, { cause: error });
    }
  });
}
