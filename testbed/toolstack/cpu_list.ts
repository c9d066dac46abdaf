/** Lists of CPUs as xl takes them: `0-3,^1`, `all`. Source: "CPU allocation" in Xen's `docs/man/xl.cfg.5.pod.in`. */

import type { PhysicalCpuId } from "../../core/lib/brand.ts";

/** The CPUs that `text` means of `count`; throws `SyntaxError` or `RangeError` that says what is accepted. */
export function parseCpuList(text: string, count: number): ReadonlySet<PhysicalCpuId> {
  const chosen = new Set<PhysicalCpuId>();
  for (const part of text.split(",").map((part) => part.trim())) {
    const match = /^(\^?)(?:(all)|(\d+)(?:-(\d+))?)$/.exec(part);
    if (!match) {
      throw new SyntaxError(`expected CPUs such as 0-3,^1 or all, found ${JSON.stringify(text)}`);
    }
    const [, not, all, from, to] = match;
    const first = all ? 0 : Number(from);
    const last = all ? count - 1 : Number(to ?? from);
    if (last < first || last >= count) {
      throw new RangeError(`CPUs ${part} are not among the machine's, which are 0-${count - 1}`);
    }
    for (let cpu = first; cpu <= last; cpu++) {
      if (not) chosen.delete(cpu as PhysicalCpuId);
      else chosen.add(cpu as PhysicalCpuId);
    }
  }
  if (chosen.size === 0) throw new RangeError(`${JSON.stringify(text)} leaves no CPU`);
  return chosen;
}

/** The shortest list for `cpus` of `count`. */
export function formatCpuList(cpus: ReadonlySet<PhysicalCpuId>, count: number): string {
  if (cpus.size === count) return "all";
  const sorted = [...cpus].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const cpu of sorted) {
    const last = ranges.at(-1);
    if (last && last[1] === cpu - 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([from, to]) => from === to ? `${from}` : `${from}-${to}`).join(",");
}
