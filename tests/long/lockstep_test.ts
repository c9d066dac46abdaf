/**
 * Whole boots in lock-step: from power-on to the prompt cold and hot do not differ, and for as long as the reference
 * takes hours, cold and reference do not.
 */

import { assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import type { HotEngineOptions } from "../../core/translate/mod.ts";
import { debian, type DebianFlavour } from "../../testbed/images/mod.ts";
import { describeParting, runLockstep, type Tiers } from "../../testbed/lockstep.ts";
import { createMachine } from "../../testbed/machine.ts";
import { requireDebian } from "../guests/debian_image.ts";

const PROMPT = "xenarium# ";
const REFERENCE_CYCLES = 200_000_000 as Cycle;

interface Boot {
  readonly flavour: DebianFlavour;
  readonly cpus: number;
  readonly tiers: Tiers;
  readonly translator?: HotEngineOptions;
  readonly untilCycle?: Cycle;
}

const BOOTS: readonly Boot[] = [
  { flavour: "amd64", cpus: 1, tiers: ["cold", "hot"] },
  { flavour: "amd64", cpus: 4, tiers: ["cold", "hot"] },
  { flavour: "686", cpus: 1, tiers: ["cold", "hot"] },
  { flavour: "amd64", cpus: 1, tiers: ["cold", "hot"], translator: { hotAfter: 1 } },
  { flavour: "amd64", cpus: 1, tiers: ["cold", "reference"], untilCycle: REFERENCE_CYCLES },
];

for (const { flavour, cpus, tiers, translator = {}, untilCycle } of BOOTS) {
  const [a, b] = tiers;
  const forced = translator.hotAfter === 1 ? " (forced)" : "";
  const end = untilCycle ? `cycle ${untilCycle}` : "the prompt";
  Deno.test(`${a} and ${b}${forced} take Debian ${flavour} on ${cpus} CPU(s) to ${end} in lock-step`, async () => {
    const store = await requireDebian(flavour);
    if (!store) throw new Error(`Debian's ${flavour} kernel is not in the image store`);
    const { vmlinux, initrd } = await debian(flavour, { store });
    const options = { append: "console=ttyS0", memory: "128MiB", cpus, translator };
    const { stop, parting } = await runLockstep(
      createMachine,
      { kernel: vmlinux, initrd, ...options },
      { tiers, everyCycles: 50_000_000, untilText: PROMPT, untilCycle: () => untilCycle },
    );
    assertEquals(parting && describeParting(parting), null);
    assertEquals(stop.kind, untilCycle ? "limit" : "marker");
  });
}
