/** Carries out a scenario in this thread: hands it a context, and turns what it says into events. */

import { createHash } from "node:crypto";
import { createMachine } from "../create_machine.ts";
import { Host } from "../boot_host.ts";
import type { RunEnd, RunEvent } from "../runs/run_events.ts";
import { type Cell, type Column, errorPercent } from "../runs/run_record.ts";
import type { CreateMachine } from "../machine_api.ts";
import { type Settings, valuesOf } from "./parameters.ts";
import type { Scenario, ScenarioContext, TableSpec, Traced } from "./scenario.ts";

/** What to carry out. */
export interface Execution {
  readonly scenario: Scenario;
  /** As `checkSettings` gave them. */
  readonly settings: Settings;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Gets everything that happens, the end last. */
  readonly emit: (event: RunEvent) => void;
  /** What machines are made with; default: the real one. */
  readonly createMachine?: CreateMachine;
}

/**
 * Runs the scenario to its end, whatever that is; what it throws becomes part of the end. Rejects only with what
 * `emit` throws.
 */
export async function executeRun(execution: Execution): Promise<RunEnd> {
  const { scenario, signal, emit } = execution;
  const evidence = new Evidence();
  let sinkFailure: { error: unknown } | undefined;
  const context = contextOf(execution, evidence, (event) => {
    try {
      emit(event);
    } catch (error) {
      sinkFailure ??= { error };
      throw error;
    }
  });
  let error: string | null = null;
  try {
    await scenario.run(context);
  } catch (thrown) {
    if (!signal.aborted) error = messageOf(thrown);
  }
  if (sinkFailure) throw sinkFailure.error;
  const end: RunEnd = {
    status: error !== null ? "failed" : signal.aborted ? "interrupted" : "complete",
    finishedMs: Date.now(),
    traceHash: error === null ? evidence.hash() : null,
    error,
  };
  emit({ kind: "ended", end });
  return end;
}

/** What the run's trace hash is made of: the traces of its machines in the order of their making, and its results. */
class Evidence {
  readonly #results = createHash("sha256");
  readonly #hostTime = new Set<string>();
  readonly #machines: { machine: object | null; hash: () => string }[] = [];

  machine<M extends object>(machine: M, hash: () => string): M {
    this.#machines.push({ machine, hash });
    return machine;
  }

  done(machine: object): void {
    const entry = this.#machines.find((each) => each.machine === machine);
    if (!entry) throw new RangeError("this machine is no part of the run, or was done already");
    const final = entry.hash();
    entry.machine = null;
    entry.hash = () => final;
  }

  leaveOut(table: string): void {
    this.#hostTime.add(table);
  }

  result(event: RunEvent): void {
    if (event.kind === "row" && this.#hostTime.has(event.table)) return;
    this.#results.update(`${JSON.stringify(event)}\n`);
  }

  hash(): string {
    const all = createHash("sha256");
    for (const { hash } of this.#machines) all.update(`${hash()}\n`);
    return all.update(this.#results.digest("hex")).digest("hex").slice(0, 32);
  }
}

function contextOf(
  { scenario, settings, seed, signal, createMachine: create = createMachine }: Execution,
  evidence: Evidence,
  emit: (event: RunEvent) => void,
): ScenarioContext {
  const result = (event: RunEvent) => {
    evidence.result(event);
    emit(event);
  };
  const unique = uniqueNames();
  const traced = <M extends Traced>(machine: M) =>
    evidence.machine(machine, () => machine.trace.hash);
  return {
    parameters: valuesOf(scenario.parameters ?? {}, settings),
    seed,
    signal,
    print: (text) => emit({ kind: "line", text }),
    createMachine: async (options) => traced(await create(options)),
    boot: async (options) => {
      const host = await Host.boot(options);
      return evidence.machine(host, () => host.hardware.trace.hash);
    },
    traced,
    done: (machine) => evidence.done(machine),
    table(spec) {
      unique("table", spec.name);
      if (spec.hostTime) evidence.leaveOut(spec.name);
      return tableSink(spec, result);
    },
    comparison(spec) {
      unique("comparison", spec.name);
      result({ kind: "comparison", comparison: spec });
      return {
        cell({ unit = "", fitted = false, confidence = null, ...rest }) {
          const percent = errorPercent(rest.measured, rest.published);
          const cell = { unit, fitted, confidence, ...rest, errorPercent: percent };
          result({ kind: "cell", comparison: spec.name, cell });
        },
      };
    },
    series(spec) {
      unique("series", spec.name);
      result({ kind: "series", series: { xName: "time", xUnit: "s", ...spec } });
      return {
        add: (x, y) => result({ kind: "points", series: spec.name, points: [[x, y]] }),
      };
    },
    figure: (figure) => emit({ kind: "figure", figure }),
    conclude: (text) => emit({ kind: "conclusion", text }),
    progress: (fraction, step) =>
      emit({
        kind: "progress",
        progress: { fraction: Math.min(1, Math.max(0, fraction)), step },
      }),
    image: (image) => emit({ kind: "image", image }),
  };
}

function tableSink(spec: TableSpec, result: (event: RunEvent) => void) {
  const { name, title, notes = [] } = spec;
  const columns = spec.columns.map(columnOf);
  result({ kind: "table", table: { name, title, columns, notes } });
  return {
    row(...cells: Cell[]) {
      if (cells.length !== columns.length) {
        throw new RangeError(
          `a row of table ${name} has ${columns.length} cells, found ${cells.length}`,
        );
      }
      const finite = cells.map((cell) =>
        typeof cell === "number" && !Number.isFinite(cell) ? null : cell
      );
      result({ kind: "row", table: name, cells: finite });
    },
  };
}

function columnOf(column: string | Column): Column {
  if (typeof column !== "string") return column;
  const [name, unit = ""] = column.split("|");
  return { name, unit };
}

/** Complains when a scenario declares two things of one kind under one name. */
function uniqueNames(): (kind: string, name: string) => void {
  const taken = new Set<string>();
  return (kind, name) => {
    if (taken.has(`${kind} ${name}`)) throw new RangeError(`there is a ${kind} ${name} already`);
    taken.add(`${kind} ${name}`);
  };
}

/** What a reader of the record can act on: the message and its causes; our own bugs with where they came up. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `: ${messageOf(error.cause)}`;
  const text = error.name === "InvariantError" ? error.stack ?? error.message : error.message;
  return `${text}${cause}`;
}
