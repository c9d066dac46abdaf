/**
 * The verbs of `xl`: what each takes, what it does, what it prints. The command line, the REPL and scripts share them.
 *
 * Source of words and options: Xen's `docs/man/xl.1.pod.in`.
 */

import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { DomainId } from "../../core/lib/brand.ts";
import type { SchedulerName } from "../../core/hypervisor/scheduling/ports.ts";
import { debugKey } from "./debug_keys.ts";
import type { DomainReference } from "./domain_controls.ts";
import {
  hostInfo,
  listCards,
  listDisks,
  listDomains,
  listSchedule,
  listUptimes,
  listVcpus,
  top,
  type TopMemory,
} from "./listings.ts";
import { SESSION_VERBS } from "./session_verbs.ts";
import type { SavedDomain, Toolstack } from "./toolstack.ts";
import { domainSettings } from "./xl_cfg/domain_settings.ts";

/** What verbs work on. */
export interface XlSession {
  readonly tools: Toolstack;
  /** The toolstack of another host of this process, where `migrate` goes; rejects if there is none of that name. */
  destination(host: string): Promise<Toolstack>;
  readonly top: TopMemory;
  /** Files of saved domains. */
  readonly files: SavedDomainFiles;
  /** Connects the keyboard to a domain's console, or shows what it printed where there is none. */
  console(domain: DomainReference): Promise<string>;
  readonly signal?: AbortSignal;
}

/** Where `save` writes to and `restore` reads from. */
export interface SavedDomainFiles {
  write(path: string, saved: SavedDomain): Promise<void>;
  read(path: string): Promise<SavedDomain>;
}

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** One verb. */
export interface Verb {
  readonly usage: string;
  readonly help: string;
  /** Options as `node:util`'s parseArgs takes them. */
  readonly options?: Readonly<Record<string, { type: "string" | "boolean"; short?: string }>>;
  /** How many words besides options it takes at least and at most. */
  readonly words: readonly [number, number];
  run(
    session: XlSession,
    words: readonly string[],
    values: Values,
  ): string | void | Promise<string | void>;
}

const DOMAIN_ONLY = { usage: "Domain", words: [1, 1] } as const;

/** A verb for one domain that prints nothing. */
function onDomain(help: string, act: (tools: Toolstack, domain: string) => void): Verb {
  return { ...DOMAIN_ONLY, help, run: ({ tools }, [domain]) => act(tools, domain) };
}

/** A verb that lists one domain or all. */
function listing(help: string, show: (tools: Toolstack, only?: DomainId) => string): Verb {
  return {
    usage: "[Domain]",
    words: [0, 1],
    help,
    run: ({ tools }, [domain]) =>
      show(tools, domain === undefined ? undefined : tools.domainId(domain)),
  };
}

/** `sched-…`: shows a scheduler, or changes a domain's parameters in it. */
function scheduling(
  scheduler: SchedulerName,
  parameters: Readonly<Record<string, { readonly name: string; readonly short: string }>>,
): Verb {
  const options = Object.fromEntries(
    Object.entries(parameters).map((
      [option, { short }],
    ) => [option, { type: "string" as const, short }]),
  );
  const letters = Object.entries(parameters).map(([option, { short }]) =>
    `[-${short} ${option.toUpperCase()}]`
  );
  return {
    usage: `[-d Domain ${letters.join(" ")}]`,
    words: [0, 0],
    help: `show or change what the ${scheduler} scheduler is told`,
    options: { domain: { type: "string", short: "d" }, ...options },
    run({ tools }, _words, values) {
      const change = Object.entries(parameters).flatMap(([option, { name }]) =>
        values[option] === undefined ? [] : [[name, numberOf(values[option] as string, option)]]
      );
      if (values.domain === undefined) {
        if (change.length > 0) throw new SyntaxError("expected -d Domain with what is to change");
        const list = listSchedule(tools, scheduler);
        if (list === "") {
          throw new RangeError(`no cpupool of this host is scheduled by ${scheduler}`);
        }
        return list;
      }
      const domain = values.domain as string;
      const { policy } = tools.host.dispatcher.pools.of(tools.domainId(domain));
      if (policy.name !== scheduler) {
        throw new RangeError(`${domain} is scheduled by ${policy.name}, not by ${scheduler}`);
      }
      const now = tools.schedule(domain, Object.fromEntries(change));
      return Object.entries(now).map(([name, value]) => `${name}=${value}`).join(" ");
    },
  };
}

/** xl's verbs, and those of a session in simulated time, by name. */
export const VERBS: Readonly<Record<string, Verb>> = {
  ...SESSION_VERBS,
  list: listing("list the domains", listDomains),
  "vcpu-list": listing("list virtual CPUs, where they run and may run", listVcpus),
  uptime: listing("how long domains have been there", listUptimes),
  info: { usage: "", words: [0, 0], help: "what the host is", run: ({ tools }) => hostInfo(tools) },
  top: {
    usage: "",
    words: [0, 0],
    help: "what domains use; CPU shares since the last top",
    run: ({ tools, top: memory }) => top(tools, memory),
  },
  create: {
    usage: "[-p] ConfigFile [key=value...]",
    words: [1, 64],
    help: "create a domain as a file says; key=value adds settings",
    options: { paused: { type: "boolean", short: "p" } },
    async run({ tools }, [path, ...settings], { paused }) {
      const options = { paused: paused === true };
      if (settings.length === 0) return void await tools.create(path, options);
      const source = [await Deno.readTextFile(path), ...settings].join("\n");
      const directory = dirname(path);
      await tools.createFrom(domainSettings(source, path), { ...options, directory });
    },
  },
  destroy: onDomain("take a domain away at once", (tools, domain) => tools.destroy(domain)),
  pause: onDomain("stop a domain for a while", (tools, domain) => tools.pause(domain)),
  unpause: onDomain("let a paused domain go on", (tools, domain) => tools.unpause(domain)),
  shutdown: {
    ...DOMAIN_ONLY,
    usage: "[-w] Domain",
    help: "ask a domain to switch itself off; -w waits until it has",
    options: { wait: { type: "boolean", short: "w" } },
    run: (session, [domain], { wait }) => asking(session, domain, "shutdown", wait === true),
  },
  reboot: {
    ...DOMAIN_ONLY,
    usage: "[-w] Domain",
    help: "ask a domain to start again; -w waits until it does",
    options: { wait: { type: "boolean", short: "w" } },
    run: (session, [domain], { wait }) => asking(session, domain, "reboot", wait === true),
  },
  save: {
    usage: "Domain File",
    words: [2, 2],
    help: "have a domain suspend itself, write it to a file, take it away",
    async run({ tools, files, signal }, [domain, path]) {
      await files.write(path, await tools.save(domain, { signal }));
    },
  },
  restore: {
    usage: "File",
    words: [1, 1],
    help: "create the domain that a file holds",
    async run({ tools, files }, [path]) {
      tools.restore(await files.read(path));
    },
  },
  migrate: {
    usage: "Domain Host",
    words: [2, 2],
    help: "move a domain to another host of this process",
    async run({ tools, destination, signal }, [domain, host]) {
      await tools.migrate(domain, await destination(host), { signal });
    },
  },
  console: {
    ...DOMAIN_ONLY,
    help: "connect to a domain's console",
    run: (session, [domain]) => session.console(domain),
  },
  rename: {
    usage: "Domain NewName",
    words: [2, 2],
    help: "give a domain another name",
    run: ({ tools }, [domain, name]) => tools.rename(domain, name),
  },
  "mem-set": {
    usage: "Domain Size",
    words: [2, 2],
    help: "tell a domain how much memory to have, in MiB or with a unit",
    run: ({ tools }, [domain, size]) => tools.memSet(domain, size),
  },
  "mem-max": {
    usage: "Domain Size",
    words: [2, 2],
    help: "change how much memory a domain may have at most",
    run: ({ tools }, [domain, size]) => tools.memMax(domain, size),
  },
  "vcpu-set": {
    usage: "Domain Count",
    words: [2, 2],
    help: "tell a domain how many of its virtual CPUs to use",
    run: ({ tools }, [domain, count]) => tools.vcpuSet(domain, numberOf(count, "count")),
  },
  "vcpu-pin": {
    usage: "Domain Vcpu|all Hard [Soft]",
    words: [3, 4],
    help: "where a virtual CPU may run, and had better run; - leaves one as it is",
    run: ({ tools }, [domain, vcpu, hard, soft]) =>
      tools.vcpuPin(domain, vcpu === "all" ? "all" : numberOf(vcpu, "vcpu"), hard, soft),
  },
  "sched-credit": scheduling("credit", {
    weight: { name: "weight", short: "w" },
    cap: { name: "cap", short: "c" },
  }),
  "sched-credit2": scheduling("credit2", {
    weight: { name: "weight", short: "w" },
    cap: { name: "cap", short: "c" },
  }),
  "sched-rtds": scheduling("rtds", {
    period: { name: "period", short: "p" },
    budget: { name: "budget", short: "b" },
    extratime: { name: "extratime", short: "e" },
  }),
  "sched-sedf": scheduling("sedf", {
    period: { name: "period", short: "p" },
    slice: { name: "slice", short: "s" },
    latency: { name: "latency", short: "l" },
    extra: { name: "extratime", short: "e" },
    weight: { name: "weight", short: "w" },
  }),
  "sched-bvt": scheduling("bvt", {
    mcuadv: { name: "mcu_adv", short: "m" },
    warpback: { name: "warpback", short: "b" },
    warpvalue: { name: "warpvalue", short: "v" },
    warpl: { name: "warpl", short: "l" },
    warpu: { name: "warpu", short: "u" },
  }),
  "network-attach": {
    usage: "Domain [key=value...]",
    words: [1, 8],
    help: "plug a network card in: mac=, bridge=, rate=",
    run: ({ tools }, [domain, ...parts]) => void tools.networkAttach(domain, parts.join(",")),
  },
  "network-detach": {
    usage: "Domain Index|Mac",
    words: [2, 2],
    help: "ask a domain to let a network card go",
    run: ({ tools }, [domain, card]) => tools.networkDetach(domain, card),
  },
  "network-capture": {
    usage: "Domain Index|Mac File|off",
    words: [3, 3],
    help: "write what passes a network card to a pcap file",
    run: ({ tools }, [domain, card, path]) =>
      tools.networkCapture(domain, card, path === "off" ? null : path),
  },
  "network-list": {
    ...DOMAIN_ONLY,
    help: "list a domain's network cards",
    run: ({ tools }, [domain]) => listCards(tools, tools.domain(domain)),
  },
  "block-attach": {
    usage: "Domain Disk",
    words: [2, 2],
    help: "plug a disk in: file,raw,xvdb,w",
    run: ({ tools }, [domain, disk]) => tools.blockAttach(domain, disk),
  },
  "block-detach": {
    usage: "Domain Vdev",
    words: [2, 2],
    help: "ask a domain to let a disk go",
    run: ({ tools }, [domain, vdev]) => tools.blockDetach(domain, vdev),
  },
  "block-commit": {
    usage: "Domain Vdev",
    words: [2, 2],
    help: "write what a domain wrote to a disk into the disk's file",
    run: ({ tools }, [domain, vdev]) => tools.blockCommit(domain, vdev),
  },
  "block-list": {
    ...DOMAIN_ONLY,
    help: "list a domain's disks",
    run: ({ tools }, [domain]) => listDisks(tools, tools.domain(domain)),
  },
  dmesg: {
    usage: "",
    words: [0, 0],
    help: "show the hypervisor's log",
    run: ({ tools }) => tools.host.log.join("\n"),
  },
  trigger: {
    usage: "Domain nmi [Vcpu]",
    words: [2, 3],
    help: "send a trigger to a virtual CPU",
    run: ({ tools }, [domain, what, vcpu = "0"]) =>
      tools.trigger(domain, what, numberOf(vcpu, "vcpu")),
  },
  sysrq: {
    usage: "Domain Letter",
    words: [2, 2],
    help: "send a magic SysRq to a domain",
    run: ({ tools }, [domain, letter]) => tools.sysrq(domain, letter),
  },
  "debug-keys": {
    usage: "Keys",
    words: [1, 1],
    help: "have the hypervisor write about itself to its log; h lists the keys",
    run: ({ tools }, [keys]) => {
      for (const key of keys) tools.host.log.push(...debugKey(tools, key));
    },
  },
};

/** The words of a command line; quotes keep spaces. Throws `SyntaxError` for a quote that does not end. */
export function wordsOf(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|[^\s"']+|["']/g) ?? [];
  const open = words.find((word) => word === '"' || word === "'");
  if (open) throw new SyntaxError(`a quote does not end: ${line}`);
  return words.map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
}

/** Runs one command, its verb first. Throws what would be right: the verb, its usage, or what it refuses. */
export async function runVerb(session: XlSession, command: readonly string[]): Promise<string> {
  const [name, ...rest] = command;
  if (name === undefined || name === "help") return verbHelp();
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (!verb) {
    const { suggest } = await import("../suggestion.ts");
    throw new RangeError(`there is no verb ${name}: ${suggest(name, Object.keys(VERBS))}`);
  }
  const usage = `usage: ${name} ${verb.usage}`.trimEnd();
  const { words, values } = parsed(rest, verb, usage);
  if (words.length < verb.words[0] || words.length > verb.words[1]) throw new SyntaxError(usage);
  return await verb.run(session, words, values) ?? "";
}

/** All verbs with what they take and do. */
export function verbHelp(): string {
  return Object.entries(VERBS).map(([name, { usage, help }]) =>
    `  ${`${name} ${usage}`.trimEnd().padEnd(44)}  ${help}`
  ).join("\n");
}

function parsed(args: readonly string[], { options = {} }: Verb, usage: string) {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      allowNegative: false,
    });
    return { words: positionals, values: values as Values };
  } catch (error) {
    throw new SyntaxError(`${(error as Error).message}; ${usage}`, { cause: error });
  }
}

/** How long a domain may take to end itself, in seconds of simulated time. */
const PATIENCE_SECONDS = 120;

async function asking(
  { tools, signal }: XlSession,
  reference: string,
  what: "shutdown" | "reboot",
  wait: boolean,
): Promise<void> {
  const domain = tools.domain(reference);
  tools[what](domain);
  if (!wait) return;
  const { frequencyHz } = tools.host.hardware.clock;
  const forCycles = PATIENCE_SECONDS * frequencyHz as never;
  await tools.run({ untilShutdown: domain, forCycles, signal });
  if (domain.domain.shutdown === null && !signal?.aborted) {
    throw new Error(`${domain.name} has not ended within ${PATIENCE_SECONDS} s`);
  }
}

function numberOf(text: string, name: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new SyntaxError(`expected a whole number for ${name}, found ${text}`);
}
