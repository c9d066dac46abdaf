/**
 * Speed of the engines, ours beside the peers that are installed, on the same guest image in one run. The environment
 * variable XENARIUM_BENCH restricts it to kernels whose name contains one of its comma-separated texts.
 */

import { coldTier, hotTier, runOwn } from "./engines/xenarium.ts";
import { bochs } from "./engines/bochs.ts";
import type { KernelTimes, MeasuredEngine } from "./engines/engine.ts";
import { qemu32, qemu64 } from "./engines/qemu.ts";
import { v86 } from "./engines/v86.ts";
import { guestImage, KERNELS, roundsOf } from "./guest/image.ts";
import type { Kernel } from "./guest/kernel.ts";
import type { Scenario, ScenarioContext } from "../testbed/scenarios/scenario.ts";
import { table } from "../testbed/tables.ts";

/** Ours between the peers, so that a machine whose load changes is fairer to all. */
const ENGINES: readonly MeasuredEngine[] = [coldTier, bochs, qemu32, qemu64, hotTier, v86];

/** What is held against what. */
const RATIOS: readonly (readonly [ours: MeasuredEngine, peer: MeasuredEngine])[] = [
  [coldTier, bochs],
  [hotTier, qemu32],
  [hotTier, qemu64],
  [hotTier, v86],
];

/** A column of the table. */
interface Column {
  readonly engine: MeasuredEngine;
  readonly times: KernelTimes;
}

const scenario: Scenario = {
  summary: "Instruction kernels on our engines and on Bochs, QEMU TCG and v86 where installed",
  async run(context) {
    for (const bits of [32, 64] as const) await measure(context, bits);
  },
};
export default scenario;

function wantedKernels(): readonly Kernel[] {
  const texts = (Deno.env.get("XENARIUM_BENCH") ?? "").split(",").filter((text) => text !== "");
  if (texts.length === 0) return KERNELS;
  return KERNELS.filter(({ name }) => texts.some((text) => name.includes(text)));
}

async function measure({ print, signal }: ScenarioContext, bits: 32 | 64): Promise<void> {
  const kernels = wantedKernels().filter((kernel) => kernel.bits.includes(bits));
  if (kernels.length === 0) return;
  const { instructions } = await runOwn("cold", guestImage(kernels, bits, 1), signal);
  const columns: Column[] = [];
  for (const engine of ENGINES.filter((each) => each.bits.includes(bits))) {
    if (signal.aborted || !await engine.available()) continue;
    try {
      const times = await engine.run(guestImage(kernels, bits, engine.scale), signal);
      columns.push({ engine, times });
    } catch (error) {
      print(`${engine.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const of = (engine: MeasuredEngine) => columns.find((column) => column.engine === engine);
  const ratios = RATIOS.flatMap(([ours, peer]) => {
    const columnsOfBoth = [of(ours), of(peer)] as const;
    return columnsOfBoth[0] && columnsOfBoth[1] ? [[columnsOfBoth[0], columnsOfBoth[1]]] : [];
  });
  const head = [
    `${bits}-bit kernel`,
    "",
    ...columns.map(({ engine }) => engine.name),
    ...ratios.map(([ours, peer]) => `${ours.engine.name} / ${peer.engine.name}`),
  ];
  const rows = kernels.map((kernel) => {
    const speedOf = (column: Column) => speed(kernel, column, instructions);
    return [
      kernel.name,
      kernel.unit,
      ...columns.map((column) => show(speedOf(column))),
      ...ratios.map(([ours, peer]) => show(ratio(kernel, speedOf(ours), speedOf(peer)))),
    ];
  });
  print(table(head, rows));
  print("");
}

/** In the kernel's unit; NaN where the engine did not get that far. */
function speed(
  kernel: Kernel,
  { engine: { scale }, times }: Column,
  instructions: ReadonlyMap<string, number>,
): number {
  const ms = times.get(kernel.name);
  if (ms === undefined) return NaN;
  if (kernel.unit === "ns") return ms * 1e6 / roundsOf(kernel, scale);
  const factor = kernel.scales ? scale : 1;
  return (instructions.get(kernel.name) ?? NaN) * factor / (ms * 1000);
}

/** How many times as fast ours is. */
function ratio(kernel: Kernel, ours: number, peer: number): number {
  return kernel.unit === "MIPS" ? ours / peer : peer / ours;
}

function show(value: number): string | number {
  if (Number.isNaN(value)) return "-";
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
