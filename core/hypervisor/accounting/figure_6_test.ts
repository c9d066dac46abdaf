/** The price of switching, against the scalability figure of "Xen and the Art of Virtualization" (section 4.5). */

import { assert } from "@std/assert";
import { type Cycle, type Cycles, MachineClock } from "../../clock/clock.ts";
import { CostTable } from "../../clock/profiles/cost_profile.ts";
import { XEON_2003 } from "../../clock/profiles/xeon_2003.ts";
import type { DomainId, VcpuId } from "../../lib/brand.ts";
import { test } from "../../lib/testing.ts";
import { ModelExecutor } from "../executors/model_executor.ts";
import { ProgramRegistry } from "../executors/model_program.ts";
import { CpuDispatcher } from "../scheduling/dispatcher.ts";
import { switchCost } from "./switch_cost.ts";

const { frequencyHz } = XEON_2003;
const SECONDS = 5;

/** Domains that compute, throughput in units of one CPU under slices of 5 ms and of 50 ms. */
const FIGURE_6: readonly [domains: number, at5ms: number, at50ms: number][] = [
  [1, 1.00, 1.00],
  [2, 2.00, 2.00],
  [4, 1.93, 1.99],
  [8, 1.88, 1.99],
  [16, 1.86, 1.99],
  [32, 1.86, 1.98],
  [64, 1.85, 1.98],
  [128, 1.85, 1.98],
];

const PROGRAMS = new ProgramRegistry<null>([{
  name: "compute",
  steps: { on: () => ({ does: "compute", cycles: frequencyHz as Cycles, then: "on" }) },
}]);

/** What `domains` compute together on two CPUs, in units of one CPU. */
function throughput(domains: number, allowanceNs: number): number {
  const clock = new MachineClock(frequencyHz);
  const table = new CostTable(XEON_2003, frequencyHz);
  const dispatcher = new CpuDispatcher({
    clock,
    cpus: 2,
    scheduler: "bvt",
    switchCost: (_to, displacedCycles) => switchCost(table, displacedCycles),
  });
  dispatcher.pools.all[0].policy.adjust({ ctx_allow: allowanceNs }, dispatcher.now);
  const executor = new ModelExecutor({ clock, dispatcher, programs: PROGRAMS, port: () => null });
  for (let domain = 1; domain <= domains; domain++) {
    const vcpu = dispatcher.add({ domain: domain as DomainId, id: 0 as VcpuId, executor });
    executor.attach(vcpu);
    executor.spawn(vcpu, "compute", "on");
    dispatcher.online(vcpu);
  }
  const end = SECONDS * frequencyHz as Cycle;
  dispatcher.advance(end);
  const useful = dispatcher.cpus.reduce(
    (sum, cpu) => sum + dispatcher.busyCycles(cpu.id) - cpu.switchCycles,
    0,
  );
  return useful / end;
}

for (const [domains, at5ms, at50ms] of FIGURE_6) {
  test(`${domains} computing domains on xeon-2003 have the throughput of Figure 6 within 1.5 %`, () => {
    for (const [allowanceNs, published] of [[5e6, at5ms], [50e6, at50ms]]) {
      const found = throughput(domains, allowanceNs);
      assert(Math.abs(found / published - 1) < 0.015, `${found} of ${published}`);
    }
  });
}
