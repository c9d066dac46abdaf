/** Speed of the engines, ours beside the peers that are installed, on the same guest image in one run. */

import { coldTier, runOwn } from "./engines/xenarium.ts";
import { bochs } from "./engines/bochs.ts";
import type { KernelTimes, MeasuredEngine } from "./engines/engine.ts";
import { qemu32, qemu64 } from "./engines/qemu.ts";
import { v86 } from "./engines/v86.ts";
import { guestImage, KERNELS, roundsOf } from "./guest/image.ts";
import type { Kernel } from "./guest/kernel.ts";
import type { Scenario, ScenarioContext } from "../testbed/scenario.ts";
import { table } from "../testbed/tables.ts";

const PEERS: readonly MeasuredEngine[] = [bochs, qemu32, qemu64, v86];

/** A column of the table. */
interface Column {
  readonly engine: MeasuredEngine;
  readonly scale: number;
  readonly times: KernelTimes;
}

const scenario: Scenario = {
  summary: "Instruction kernels on our engines and on Bochs, QEMU TCG and v86 where installed",
  async run(context) {
    for (const bits of [32, 64] as const) await measure(context, bits);
  },
};
export default scenario;

async function measure({ print, signal }: ScenarioContext, bits: 32 | 64): Promise<void> {
  const image = guestImage(KERNELS, bits, 1);
  const own = await runOwn("cold", image, signal);
  const columns: Column[] = [{ engine: coldTier, scale: 1, times: own.times }];
  for (const engine of PEERS.filter((peer) => peer.bits.includes(bits))) {
    if (signal.aborted || !await engine.available()) continue;
    try {
      const times = await engine.run(guestImage(KERNELS, bits, engine.scale), signal);
      columns.push({ engine, scale: engine.scale, times });
    } catch (error) {
      print(`${engine.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const peers = columns.slice(1);
  const head = [
    `${bits}-bit kernel`,
    "",
    ...columns.map(({ engine }) => engine.name),
    ...peers.map(({ engine }) => `ours / ${engine.name}`),
  ];
  const rows = image.kernels.map((kernel) => {
    const speeds = columns.map((column) => speed(kernel, column, own.instructions));
    const ratios = speeds.slice(1).map((peer) => ratio(kernel, speeds[0], peer));
    return [kernel.name, kernel.unit, ...speeds.map(show), ...ratios.map(show)];
  });
  print(table(head, rows));
  print("");
}

/** In the kernel's unit; NaN where the engine did not get that far. */
function speed(
  kernel: Kernel,
  { times, scale }: Column,
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
