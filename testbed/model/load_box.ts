/**
 * A box under the hypervisor's dispatcher whose domains only compute, or work and rest in turns: for stories about
 * scheduling, where what runs inside a domain does not matter.
 *
 * Domains cost what the cost profile says of switches between them and of the caches they refill; their work is
 * counted in what they computed, not in the time that they held a CPU.
 *
 * ```ts ignore
 * const box = await LoadBox.boot({ cpus: 2, scheduler: "bvt", profile: "xeon-2003" });
 * const domains = [1, 2, 3].map((n) => box.create({ name: `d${n}`, load: { kind: "computes" } }));
 * await box.run("1s");
 * console.log(domains.map((domain) => domain.workSeconds));
 * ```
 */

import { type Cycle, type Cycles, MachineClock } from "../../core/clock/clock.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { profileNamed } from "../../core/clock/profiles/profiles.ts";
import { switchCost } from "../../core/hypervisor/accounting/switch_cost.ts";
import { ModelExecutor } from "../../core/hypervisor/executors/model_executor.ts";
import {
  type Locals,
  type Program,
  ProgramRegistry,
} from "../../core/hypervisor/executors/model_program.ts";
import { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type {
  SchedulableVcpu,
  SchedulerName,
  SchedulerParameters,
} from "../../core/hypervisor/scheduling/ports.ts";
import type { DomainId, VcpuId } from "../../core/lib/brand.ts";
import { Random } from "../../core/lib/random.ts";
import { parseDuration } from "../units.ts";
import { boxes, NO_DISK, type WatchedBox } from "../watched_boxes.ts";
import { runUntil } from "./run_until.ts";
import { digestSchedule } from "./schedule_digest.ts";

/** What a box is made of. */
export interface LoadBoxOptions {
  /** Default 1. */
  readonly cpus?: number;
  /** Default `credit2`. */
  readonly scheduler?: SchedulerName;
  /** Parameters of the scheduler, in its own words, such as `{ ctx_allow: 50e6 }`. */
  readonly schedulerParameters?: SchedulerParameters;
  /** Name of the cost profile; default `free`. */
  readonly profile?: string;
  /** Decides when requests come; default 1. */
  readonly seed?: number;
}

/**
 * What a domain does: computes all the time; answers requests, each `work` long, which come at random after a rest of `rest` on average (exponentially);
 * or computes, and answers such requests between two pieces of its computation.
 */
export type Load =
  | { readonly kind: "computes" }
  | {
    readonly kind: "answers" | "computes and answers";
    readonly work: string;
    readonly rest: string;
  };

/** A domain to create. */
export interface LoadDomainConfig {
  readonly name: string;
  readonly load: Load;
  /** Default 1. */
  readonly vcpus?: number;
  /** Parameters of the domain, in the scheduler's own words, such as `{ weight: 512 }` or `{ mcu_adv: 5 }`. */
  readonly parameters?: SchedulerParameters;
}

/** How long requests took from when they came until they were answered, in milliseconds. */
export interface Delays {
  readonly count: number;
  readonly meanMs: number;
  readonly deviationMs: number;
  readonly worstMs: number;
}

/** Work is counted in pieces of this length. */
const PIECE_NS = 1_000_000;

const computes: Program<null> = {
  name: "computes",
  steps: {
    piece({ locals }) {
      locals.pieces = number(locals, "pieces") + 1;
      const then = locals.alone ? "piece" : "others";
      return { does: "compute", cycles: locals.piece as Cycles, then };
    },
    others: () => ({ does: "yield", then: "piece" }),
  },
};

/** Requests, one after the other, and how long each took from when it came until it was answered. */
const answers: Program<null> = {
  name: "answers",
  steps: {
    begin: ({ locals }) => ({ does: "sleep", until: locals.due as Cycle, then: "work" }),
    work: ({ locals }) => ({ does: "compute", cycles: locals.work as Cycles, then: "done" }),
    done({ locals, now }) {
      const took = now - number(locals, "due");
      locals.count = number(locals, "count") + 1;
      locals.sum = number(locals, "sum") + took;
      locals.squares = number(locals, "squares") + took * took;
      locals.worst = Math.max(number(locals, "worst"), took);
      const random = locals.random = number(locals, "random") * 48_271 % 2_147_483_647;
      const rest = -Math.log(random / 2_147_483_647) * number(locals, "rest");
      locals.due = now + Math.round(rest);
      return { does: "sleep", until: locals.due as Cycle, then: "work" };
    },
  },
};

function number(locals: Locals, name: string): number {
  return (locals[name] ?? 0) as number;
}

/** One domain of a {@link LoadBox}. */
export class LoadDomain {
  /** Made by {@link LoadBox.create}. */
  constructor(
    private readonly box: LoadBox,
    readonly name: string,
    private readonly vcpus: readonly SchedulableVcpu[],
    private readonly tasks: readonly Locals[],
  ) {}

  /** What it has computed, in seconds of one CPU; without what switches and cold caches cost. */
  get workSeconds(): number {
    const cycles = this.#sum((locals) =>
      number(locals, "count") * number(locals, "work") +
      Math.max(0, number(locals, "pieces") - 1) * number(locals, "piece")
    );
    return cycles / this.box.clock.frequencyHz;
  }

  /** CPU time that it was given. */
  get cpuSeconds(): number {
    const { dispatcher, clock } = this.box;
    return this.vcpus.reduce((sum, vcpu) => sum + dispatcher.runstate(vcpu).times.running, 0) /
      clock.frequencyHz;
  }

  /** Of all its requests so far. */
  get delays(): Delays {
    const ms = this.box.clock.frequencyHz / 1000;
    const count = this.#sum((locals) => number(locals, "count"));
    const mean = this.#sum((locals) => number(locals, "sum")) / Math.max(1, count);
    const square = this.#sum((locals) => number(locals, "squares")) / Math.max(1, count);
    return {
      count,
      meanMs: mean / ms,
      deviationMs: Math.sqrt(Math.max(0, square - mean * mean)) / ms,
      worstMs: Math.max(...this.tasks.map((locals) => number(locals, "worst"))) / ms,
    };
  }

  #sum(of: (locals: Locals) => number): number {
    return this.tasks.reduce((sum, locals) => sum + of(locals), 0);
  }
}

/** See the module comment. */
export class LoadBox {
  readonly clock: MachineClock;
  readonly dispatcher: CpuDispatcher;
  readonly domains: LoadDomain[] = [];
  /** Digest of the whole schedule: who entered which state when. */
  readonly trace: { readonly hash: string };
  /** How often a virtual CPU entered another state. */
  changes = 0;
  readonly #executor: ModelExecutor<null>;
  readonly #random: Random;

  private constructor(options: LoadBoxOptions) {
    const { cpus = 1, scheduler = "credit2", schedulerParameters, profile = "free" } = options;
    const costs = profileNamed(profile);
    const table = new CostTable(costs, costs.frequencyHz);
    const clock = this.clock = new MachineClock(costs.frequencyHz);
    const dispatcher = this.dispatcher = new CpuDispatcher({
      clock,
      cpus,
      scheduler,
      switchCost: (_to, displacedCycles) => switchCost(table, displacedCycles),
    });
    if (schedulerParameters) dispatcher.pools.all[0].policy.adjust(schedulerParameters, clock.now);
    this.#executor = new ModelExecutor<null>({
      clock,
      dispatcher,
      programs: new ProgramRegistry([computes, answers]),
      port: () => null,
    });
    this.#random = new Random(options.seed ?? 1);
    this.trace = digestSchedule(dispatcher);
    dispatcher.observe(() => void this.changes++);
  }

  /** Starts a box without domains. Rejects with `RangeError` for a wrong option. */
  static async boot(options: LoadBoxOptions = {}): Promise<LoadBox> {
    const box = new LoadBox(options);
    boxes.add("box", box, watched);
    return await Promise.resolve(box);
  }

  /** Adds a domain that runs from the next {@link run} on. Throws `RangeError` or `SyntaxError` for a wrong option. */
  create({ name, load, vcpus = 1, parameters }: LoadDomainConfig): LoadDomain {
    const domain = this.domains.length + 1 as DomainId;
    const tasks: Locals[] = [];
    const made = Array.from({ length: vcpus }, (_, id) => {
      const vcpu = this.dispatcher.add({ domain, id: id as VcpuId, executor: this.#executor });
      this.#executor.attach(vcpu);
      if (load.kind !== "answers") {
        const alone = load.kind === "computes";
        const locals = { pieces: 0, piece: this.#cycles(PIECE_NS), alone };
        this.#executor.spawn(vcpu, "computes", "piece", locals);
        tasks.push(locals);
      }
      if (load.kind !== "computes") {
        const locals = this.#requests(load);
        this.#executor.spawn(vcpu, "answers", "begin", locals);
        tasks.push(locals);
      }
      this.dispatcher.online(vcpu);
      return vcpu;
    });
    if (parameters) {
      const { policy } = this.dispatcher.pools.all[0];
      policy.adjustDomain(domain, parameters, this.dispatcher.now);
    }
    this.domains.push(new LoadDomain(this, name, made, tasks));
    return this.domains.at(-1)!;
  }

  /** Advances simulated time by `duration` (with its unit), or until the signal fires. */
  async run(duration: string, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const end = this.clock.now + this.#cycles(parseDuration(duration));
    await runUntil(this, end, { signal });
  }

  #requests(load: { readonly work: string; readonly rest: string }): Locals {
    const [work, rest] = [load.work, load.rest].map((text) => this.#cycles(parseDuration(text)));
    const due = this.clock.now + this.#random.between(0, rest);
    const random = this.#random.between(1, 2_147_483_646);
    return { work, rest, due, random, count: 0, sum: 0, squares: 0, worst: 0 };
  }

  #cycles(ns: number): number {
    return Math.round(ns * this.clock.frequencyHz / 1e9);
  }
}

/** A box as live views see it: its domains have CPU time and nothing else. */
function watched({ dispatcher, clock, domains }: LoadBox): WatchedBox {
  return {
    dispatcher,
    clock,
    memoryBytes: 0,
    domains: () =>
      domains.map(({ name }, index) => ({
        id: index + 1,
        name,
        memoryBytes: 0,
        maxMemoryBytes: 0,
        halt: null,
        disk: NO_DISK,
        console: null,
      })),
    links: () => [],
  };
}
