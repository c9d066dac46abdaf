/** Numbers, times and sizes as people read them; the same on the server and in islands. */

/** Powers of 1024 for sizes, of 1000 for rates. */
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB"];
const DECIMAL = ["", "k", "M", "G", "T"];
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A number with four significant digits at most; no exponent between a millionth and a billion. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-6 || size >= 1e9) return value.toExponential(3);
  if (Number.isInteger(value)) return value.toLocaleString("en-US").replaceAll(",", "\u202f");
  const text = size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
  const [whole, fraction] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A number with its sign, for differences: `+3.1`. */
export function formatSigned(value: number, digits = 1): string {
  const text = Math.abs(value).toFixed(digits);
  const sign = Number(text) === 0 ? "±" : value > 0 ? "+" : "−";
  return `${sign}${text}`;
}

/** A size in bytes. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, BINARY, " ");
}

/** A quantity a second; `unit` follows the prefix: `12.4 MB/s`. */
export function formatRate(value: number, unit: string): string {
  return scaled(value, 1000, DECIMAL.map((prefix) => prefix + unit), " ");
}

/** Simulated time. */
export function formatNs(ns: number): string {
  if (ns >= 60e9) return `${Math.floor(ns / 60e9)} min ${formatNumber(ns % 60e9 / 1e9)} s`;
  if (ns >= 1e9) return `${formatNumber(ns / 1e9)} s`;
  return ns >= 1e6 ? `${formatNumber(ns / 1e6)} ms` : `${formatNumber(ns / 1e3)} µs`;
}

/** How long something took by the host's clock. */
export function formatElapsed(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < MINUTE_MS) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < HOUR_MS) {
    return `${Math.floor(ms / MINUTE_MS)} min ${Math.round(ms % MINUTE_MS / 1000)} s`;
  }
  return `${Math.floor(ms / HOUR_MS)} h ${Math.round(ms % HOUR_MS / MINUTE_MS)} min`;
}

/** An instant of the host's clock, in its own time zone: `2026-11-21 15:20`. */
export function formatInstant(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${
    two(date.getHours())
  }:${two(date.getMinutes())}`;
}

/** How long ago, roughly. */
export function formatAgo(ms: number, nowMs: number): string {
  const ago = Math.max(0, nowMs - ms);
  if (ago < MINUTE_MS) return "just now";
  if (ago < HOUR_MS) return plural(Math.floor(ago / MINUTE_MS), "minute");
  if (ago < DAY_MS) return plural(Math.floor(ago / HOUR_MS), "hour");
  return plural(Math.floor(ago / DAY_MS), "day");
}

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

function scaled(value: number, base: number, units: readonly string[], gap: string): string {
  let power = 0;
  let rest = Math.abs(value);
  while (rest >= base && power < units.length - 1) {
    rest /= base;
    power++;
  }
  const text = formatNumber(Math.sign(value) * Number(rest.toPrecision(3)));
  return `${text}${gap}${units[power]}`.trim();
}
