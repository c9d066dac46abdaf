/**
 * What `xl` prints, with its words and columns.
 *
 * Source: Xen's `docs/man/xl.1.pod.in` (`list`, `vcpu-list`, `info`, `sched-*`, `uptime`) and `docs/man/xentop.1.pod`.
 */

import { domainUsage } from "../../core/hypervisor/accounting/domain_usage.ts";
import type { SchedulableVcpu, SchedulerName } from "../../core/hypervisor/scheduling/ports.ts";
import { GUEST_SPACES } from "../../core/hypervisor/memory/guest_space.ts";
import { XEN_VERSION } from "../../core/hypervisor/version.ts";
import { formatMac } from "../../devices/net/mod.ts";
import type { DomainId } from "../../core/lib/brand.ts";
import type { HostDomain } from "../host/host.ts";
import type { Toolstack } from "./toolstack.ts";

const DOM0 = 0 as DomainId;
const PAGE_BYTES = 4096;
const MIB = 2 ** 20;
const KIB = 1024;
const NAME_WIDTH = 40;

/** A domain of a list: domain 0 has no memory of its own here, and no console. */
interface Subject {
  readonly id: DomainId;
  readonly name: string;
  readonly domain: HostDomain | null;
}

function subjects({ host }: Toolstack, only?: Subject["id"]): Subject[] {
  const zero: Subject = { id: DOM0, name: "Domain-0", domain: null };
  const others = host.domains.map((domain) => ({ id: domain.id, name: domain.name, domain }));
  return [zero, ...others].filter(({ id }) => only === undefined || id === only);
}

/** `xl list`. */
export function listDomains(tools: Toolstack, only?: DomainId): string {
  const head = `${"Name".padEnd(NAME_WIDTH)} ${right("ID", 5)} ${
    right("Mem", 5)
  } VCPUs\tState\tTime(s)`;
  const rows = subjects(tools, only).map((subject) => {
    const { id, name, domain } = subject;
    const mem = right((domain?.domain.pages ?? 0) * PAGE_BYTES / MIB | 0, 5);
    const vcpus = right(vcpusOf(tools, id).filter(({ state }) => state !== "offline").length, 5);
    const state = stateLetters(tools, subject, LIST_STATES);
    const time = right(secondsRun(tools, id).toFixed(1), 8);
    return `${name.padEnd(NAME_WIDTH)} ${right(id, 5)} ${mem} ${vcpus}     ${state}  ${time}`;
  });
  return [head, ...rows].join("\n");
}

/** Letters of states in the order of `xl list` and of xentop: running, blocked, paused, shut down, crashed, dying. */
const LIST_STATES = "rbpscd";
const TOP_STATES = "dsbcpr";

/** The letters of `order` that apply, and `-` for each other one: one that only waits for a CPU has none. */
function stateLetters(tools: Toolstack, { id, domain }: Subject, order: string): string {
  const states = vcpusOf(tools, id).map(({ state }) => state).filter((state) =>
    state !== "offline"
  );
  const ended = domain?.domain.shutdown ?? null;
  const paused = domain !== null && domain.domain.pauses > 0;
  const lives = ended === null && !paused;
  const applies: Readonly<Record<string, boolean>> = {
    r: lives && states.includes("running"),
    b: lives && states.every((state) => state === "blocked"),
    p: paused,
    s: ended !== null,
    c: ended === "crash",
  };
  return [...order].map((letter) => applies[letter] ? letter : "-").join("");
}

/** How `xl vcpu-list` shows what a virtual CPU does. */
const VCPU_STATES: Readonly<Record<SchedulableVcpu["state"], string>> = {
  running: "r--",
  runnable: "---",
  blocked: "-b-",
  offline: "--p",
};

/** `xl vcpu-list`. */
export function listVcpus(tools: Toolstack, only?: DomainId): string {
  const row = (...[name, id, vcpu, cpu, state, time, affinity]: (string | number)[]) =>
    `${String(name).padEnd(32)} ${right(id, 5)} ${right(vcpu, 5)} ${right(cpu, 5)} ${
      right(state, 5)
    } ${right(time, 9)}  ${affinity}`;
  const rows = subjects(tools, only).flatMap(({ id, name }) =>
    vcpusOf(tools, id).map((vcpu) => {
      const { times } = tools.host.dispatcher.runstate(vcpu);
      const offline = vcpu.state === "offline";
      const letters = VCPU_STATES[vcpu.state];
      const where = `${tools.affinity(vcpu.hardAffinity)} / ${tools.affinity(vcpu.softAffinity)}`;
      const time = seconds(tools, times.running).toFixed(1);
      return row(name, id, vcpu.id, offline ? "-" : vcpu.cpu, letters, time, where);
    })
  );
  return [row("Name", "ID", "VCPU", "CPU", "State", "Time(s)", "Affinity (Hard / Soft)"), ...rows]
    .join("\n");
}

/** `xl info`. */
export function hostInfo(tools: Toolstack): string {
  const { host } = tools;
  const { dispatcher, hypervisor, hardware: { clock, memory } } = host;
  const { major, minor, extraversion, capabilities } = XEN_VERSION;
  const start = BigInt.asUintN(64, BigInt(GUEST_SPACES.lp64.hypervisorStart));
  const free = hypervisor.frames.freeFrames * PAGE_BYTES;
  const facts: readonly (readonly [string, string | number])[] = [
    ["host", "xenarium"],
    ["machine", "x86_64"],
    ["nr_cpus", dispatcher.cpus.length],
    ["max_cpu_id", dispatcher.cpus.length - 1],
    ["nr_nodes", 1],
    ["cores_per_socket", dispatcher.cpus.length],
    ["threads_per_core", 1],
    ["cpu_mhz", (clock.frequencyHz / 1e6).toFixed(3)],
    ["total_memory", Math.floor(memory.plan.ramBytes / MIB)],
    ["free_memory", Math.floor(free / MIB)],
    ["sharing_freed_memory", 0],
    ["sharing_used_memory", 0],
    ["outstanding_claims", 0],
    ["free_cpus", dispatcher.cpus.filter(({ pool }) => pool === null).length],
    ["xen_major", major],
    ["xen_minor", minor],
    ["xen_extra", extraversion],
    ["xen_version", `${major}.${minor}${extraversion}`],
    ["xen_caps", capabilities],
    ["xen_scheduler", dispatcher.pools.all[0].policy.name],
    ["xen_pagesize", PAGE_BYTES],
    ["platform_params", `virt_start=0x${start.toString(16)}`],
    ["xen_changeset", XEN_VERSION.changeset],
    ["xen_commandline", ""],
    ["cc_compiler", XEN_VERSION.compiler],
    ["cc_compile_by", XEN_VERSION.compileBy],
    ["cc_compile_domain", XEN_VERSION.compileDomain],
    ["cc_compile_date", XEN_VERSION.compileDate],
    ["build_id", ""],
    ["xend_config_format", 4],
  ];
  return facts.map(([name, value]) => `${name.padEnd(23)}: ${value}`).join("\n");
}

/** `xl uptime`. */
export function listUptimes(tools: Toolstack, only?: DomainId): string {
  const { clock } = tools.host.hardware;
  const rows = subjects(tools, only).map(({ id, name, domain }) => {
    const since = domain ? tools.since(domain) : 0;
    return `${name.padEnd(33)} ${right(id, 4)} ${uptime(seconds(tools, clock.now - since))}`;
  });
  return [`${"Name".padEnd(33)} ${right("ID", 4)} Uptime`, ...rows].join("\n");
}

function uptime(total: number): string {
  const days = Math.floor(total / 86_400);
  const [h, m, s] = [total / 3600 % 24, total / 60 % 60, total % 60].map((part) =>
    String(Math.floor(part)).padStart(2, "0")
  );
  return `${days > 0 ? `${days} days, ` : ""}${Number(h)}:${m}:${s}`;
}

/** Columns of `xl sched-*`, by the names that policies give their parameters. */
const SCHEDULE_COLUMNS: Readonly<Record<string, string>> = {
  weight: "Weight",
  cap: "Cap",
  period: "Period",
  budget: "Budget",
  slice: "Slice",
  latency: "Latency",
  extratime: "Extra",
  mcu_adv: "MCUAdv",
  warpback: "WarpBack",
  warpvalue: "WarpValue",
  warpl: "WarpL",
  warpu: "WarpU",
};

/** `xl sched-credit` and its like: the cpupools of that scheduler, their parameters and their domains'. */
export function listSchedule(tools: Toolstack, scheduler: SchedulerName): string {
  const { pools } = tools.host.dispatcher;
  return pools.all.filter(({ policy }) => policy.name === scheduler).map((pool) => {
    const members = subjects(tools).filter(({ id }) => pools.of(id) === pool);
    const own = Object.entries(pool.policy.parameters).map(([name, value]) => `${name}=${value}`);
    const names = Object.keys(pool.policy.domainParameters(DOM0));
    const row = (name: string, id: string | number, values: readonly (string | number)[]) =>
      `${name.padEnd(33)} ${right(id, 4)} ${values.map((value) => right(value, 10)).join(" ")}`;
    const rows = members.map(({ id, name }) => {
      const values: Readonly<Record<string, number>> = pool.policy.domainParameters(id);
      return row(name, id, names.map((each) => values[each]));
    });
    const columns = names.map((name) => SCHEDULE_COLUMNS[name] ?? name);
    return [`Cpupool ${pool.name}: ${own.join(" ")}`, row("Name", "ID", columns), ...rows].join(
      "\n",
    );
  }).join("\n");
}

/** `xl network-list`. */
export function listCards(tools: Toolstack, domain: HostDomain): string {
  const cards = tools.host.zero.cardsOf(domain.id);
  const rows = cards.map(({ number, mac, path, backend }) =>
    `${String(number).padEnd(3)} ${String(backend).padEnd(2)} ${formatMac(mac)} ${right(0, 6)} ${
      right(stateOf(tools, path), 5)
    }   ${path}`
  );
  return [`Idx BE Mac Addr.         handle state   BE-path`, ...rows].join("\n");
}

/** `xl block-list`. */
export function listDisks(tools: Toolstack, domain: HostDomain): string {
  const disks = tools.host.zero.disksOf(domain.id);
  const rows = disks.map(({ number, path, backend }) =>
    `${String(number).padEnd(5)} ${String(backend).padEnd(3)} ${String(domain.id).padEnd(6)} ${
      stateOf(tools, path).padEnd(5)
    } ${path}`
  );
  return [`Vdev  BE  handle state BE-path`, ...rows].join("\n");
}

function stateOf(tools: Toolstack, path: string): string {
  return tools.host.zero.tools.readText(`${path}/state`) ?? "-1";
}

/** What `xl top` compares with, so that it can tell a share of the time since. */
export interface TopMemory {
  cycle: number;
  readonly running: Map<DomainId, number>;
}

/** `xl top`, once; CPU shares are of the time since the call before, whose memory this is. */
export function top(tools: Toolstack, before: TopMemory): string {
  const { clock, memory } = tools.host.hardware;
  const elapsed = clock.now - before.cycle;
  const row = (cells: readonly (string | number)[]) =>
    cells.map((cell, i) => i === 0 ? right(cell, 10) : right(cell, TOP_COLUMNS[i].length)).join(
      " ",
    );
  const rows = subjects(tools).map((subject) => {
    const { id, name, domain } = subject;
    const { running } = domainUsage(tools.host.dispatcher, id).times;
    const ran = running - (before.running.get(id) ?? 0);
    before.running.set(id, running);
    const share = elapsed > 0 ? 100 * ran / elapsed : 0;
    const own = (domain?.domain.pages ?? 0) * PAGE_BYTES;
    const most = (domain?.domain.maxPages ?? 0) * PAGE_BYTES;
    const part = (bytes: number) => (100 * bytes / memory.plan.ramBytes).toFixed(1);
    const cards = tools.host.zero.cardsOf(id).map(({ driver }) => driver.counters);
    const disks = tools.host.zero.disksOf(id).map(({ driver }) => driver.counters);
    const total = <T>(all: readonly T[], of: (each: T) => number) =>
      all.reduce((sum, each) => sum + of(each), 0);
    return row([
      name.slice(0, 10),
      stateLetters(tools, subject, TOP_STATES),
      Math.floor(seconds(tools, running)),
      share.toFixed(1),
      own / KIB,
      part(own),
      domain ? most / KIB : "no limit",
      domain ? part(most) : "n/a",
      vcpusOf(tools, id).length,
      cards.length,
      Math.floor(total(cards, (each) => each.txBytes) / KIB),
      Math.floor(total(cards, (each) => each.rxBytes) / KIB),
      disks.length,
      // Its back end is never out of requests.
      0,
      total(disks, (each) => each.reads),
      total(disks, (each) => each.writes),
      total(disks, (each) => each.readBytes) / 512,
      total(disks, (each) => each.writtenBytes) / 512,
      // No security labels.
      0,
    ]);
  });
  before.cycle = clock.now;
  return [row(TOP_COLUMNS.map((name) => name.trim())), ...rows].join("\n");
}

/** Headings of xentop; each is as wide as its column. */
const TOP_COLUMNS = [
  "      NAME",
  " STATE",
  "  CPU(sec)",
  "CPU(%)",
  "    MEM(k)",
  "MEM(%)",
  " MAXMEM(k)",
  "MAXMEM(%)",
  "VCPUS",
  "NETS",
  "NETTX(k)",
  "NETRX(k)",
  "VBDS",
  "  VBD_OO",
  "  VBD_RD",
  "  VBD_WR",
  " VBD_RSECT",
  " VBD_WSECT",
  "SSID",
];

function vcpusOf(tools: Toolstack, id: DomainId): SchedulableVcpu[] {
  return tools.host.dispatcher.vcpus.filter(({ domain }) => domain === id);
}

function secondsRun(tools: Toolstack, id: DomainId): number {
  return seconds(tools, domainUsage(tools.host.dispatcher, id).times.running);
}

function seconds(tools: Toolstack, cycles: number): number {
  return cycles / tools.host.hardware.clock.frequencyHz;
}

function right(value: string | number, width: number): string {
  return String(value).padStart(width);
}
