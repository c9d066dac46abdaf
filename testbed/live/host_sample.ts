/**
 * What a host looks like at one instant, as plain data: the figures behind an `xentop` and its plots.
 *
 * Counters only rise, so whoever shows rates subtracts two samples; nothing is lost if some are skipped.
 */

import type { DiskTraffic, LinkSample } from "../watched_boxes.ts";

export type { LinkSample } from "../watched_boxes.ts";

/** What a domain is doing, as far as one word can say. */
export type DomainActivity = "running" | "runnable" | "blocked" | "paused" | "shut down";

/** One physical CPU. */
export interface CpuSample {
  readonly cpu: number;
  /** Time during which somebody held it, since power-on. */
  readonly busyNs: number;
}

/** One domain; counters since its creation. */
export interface DomainSample {
  readonly id: number;
  readonly name: string;
  readonly activity: DomainActivity;
  readonly vcpus: number;
  /** CPU time of all its virtual CPUs. */
  readonly cpuNs: number;
  /** Time that virtual CPUs spent runnable, waiting for a physical one. */
  readonly waitNs: number;
  readonly memoryBytes: number;
  readonly maxMemoryBytes: number;
  readonly disk: DiskTraffic;
  /** Whether it has a console that can be typed into. */
  readonly hasConsole: boolean;
}

/** A stay of a domain's virtual CPU on a physical CPU. */
export interface RunSpan {
  readonly cpu: number;
  readonly domain: number;
  readonly vcpu: number;
  readonly fromNs: number;
  readonly toNs: number;
}

/** See the module comment. */
export interface HostSample {
  /** The host's name; unique in its process. */
  readonly host: string;
  /** Simulated time since power-on. */
  readonly timeNs: number;
  readonly scheduler: string;
  readonly memoryBytes: number;
  readonly cpus: readonly CpuSample[];
  readonly domains: readonly DomainSample[];
  readonly links: readonly LinkSample[];
  /** Who ran since the sample before, in the order of ends; the latest if there were very many. */
  readonly schedule: readonly RunSpan[];
}
