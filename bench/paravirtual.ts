/**
 * What the hypervisor costs its host: a boot of Debian as a paravirtual domain beside the same kernel on a machine of its
 * own, and domains that have nothing to do. The boots take turns, so that a host whose load changes is fair to both.
 */

import type { Cycles } from "../core/clock/clock.ts";
import { createMachine, defineScenario, Host } from "../mod.ts";
import { NOTHING_SPENT, ratio, type Spent, sum, timed } from "./measuring/spent.ts";

const PROMPT = "xenarium# ";
const MEMORY = "256MiB";
/** Both load the same modules: none. */
const APPEND = "xenarium.modules=none";
/** A turn of each of the boots that are compared: a paravirtual one takes about twice as many instructions. */
const NATIVE_TURN = 50_000_000 as Cycles;
const PARAVIRTUAL_TURN = 100_000_000 as Cycles;
/** A boot that takes longer has failed. */
const MAX_TURNS = 100;
const SECOND = 1e9 as Cycles;
/** Simulated seconds until everybody rests, and how long they are looked at. */
const SETTLING = 20;
const LOOKED_AT = 20;
const DEBIANS = 16;
const TINIES = 100;

type Tell = (what: string, spent: Spent, wanted?: string) => void;

export default defineScenario({
  summary: "a paravirtual boot beside a native one, and what idle domains cost",

  async run({ print, table }) {
    const rows = table({
      name: "paravirtual",
      title: "Paravirtual domains",
      columns: ["what", "wall|s", "CPU|s", "wanted"],
      hostTime: true,
    });
    const tell: Tell = (what, { wall, cpu }, wanted = "") => {
      rows.row(what, wall, cpu, wanted);
      print(`${what.padEnd(58)} ${wall.toFixed(4)} s  CPU ${cpu.toFixed(4)} s  ${wanted}`);
    };
    await boots(tell);
    await idle(tell, TINIES, await tinyHost(), "wall < 0.005");
    await idle(tell, DEBIANS, await debianHost(), "wall < 0.050");
  },
});

/** Boots a machine and a domain in turns, to the prompt. */
async function boots(tell: Tell): Promise<void> {
  const native = await createMachine({
    kernel: "debian",
    memory: MEMORY,
    append: `console=ttyS0 ${APPEND}`,
  });
  const host = await Host.boot({ memory: "512MiB" });
  const domain = await host.create({
    name: "debian",
    kernel: "debian",
    memory: MEMORY,
    extra: `console=hvc0 ${APPEND}`,
  });
  const boots = [
    {
      console: native.console,
      run: () => native.run({ forCycles: NATIVE_TURN, untilText: PROMPT }),
    },
    {
      console: domain.console,
      run: () =>
        host.run({ forCycles: PARAVIRTUAL_TURN, untilText: PROMPT, console: domain.console }),
    },
  ];
  const spent = boots.map(() => NOTHING_SPENT);
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    for (const [i, { console, run }] of boots.entries()) {
      if (console.text.includes(PROMPT)) continue;
      spent[i] = sum(spent[i], await timed(run));
    }
  }
  for (const { console } of boots) expectPrompt(console.text);
  const [alone, paravirtual] = spent;
  tell("Debian to its prompt, natively", alone);
  const wanted = `${ratio(paravirtual, alone)} (at most 1.3)`;
  tell("Debian to its prompt, as a paravirtual domain", paravirtual, wanted);
}

/** Tells what `count` domains of `host`, all at rest, cost for each simulated second. */
async function idle(tell: Tell, count: number, host: Host, wanted: string): Promise<void> {
  await host.run({ forCycles: SETTLING * SECOND as Cycles });
  const living = host.domains.filter(({ domain }) => domain.shutdown === null);
  if (living.length !== count) throw new Error(`${living.length} of ${count} domains live`);
  const before = ran(host);
  const { wall, cpu } = await timed(() => host.run({ forCycles: LOOKED_AT * SECOND as Cycles }));
  const instructions = ((ran(host) - before) / LOOKED_AT / 1e6).toFixed(2);
  const name = `a second of ${
    host.domains[0].name
  } x ${count}, idle: ${instructions} M instructions`;
  tell(name, { wall: wall / LOOKED_AT, cpu: cpu / LOOKED_AT }, wanted);
}

/** Cycles that all domains have run. */
function ran({ dispatcher, domains }: Host): number {
  return domains.reduce((sum, { id }) => sum + dispatcher.domainCycles(id), 0);
}

async function tinyHost(): Promise<Host> {
  const host = await Host.boot({ memory: "1GiB", cpus: 2 });
  for (let i = 0; i < TINIES; i++) {
    await host.create({ name: `tiny${i}`, kernel: "tiny", memory: "4MiB" });
  }
  return host;
}

/** One Debian boots and is saved; the domains are what was saved. */
async function debianHost(): Promise<Host> {
  const host = await Host.boot({ memory: "3GiB", cpus: 2 });
  const extra = `console=hvc0 quiet ${APPEND}`;
  const first = await host.create({ name: "first", kernel: "debian", memory: "128MiB", extra });
  const { console } = first;
  await host.run({ forCycles: 20 * SECOND as Cycles, untilText: PROMPT, console });
  expectPrompt(console.text);
  await host.suspend(first);
  const image = host.save(first);
  host.destroy(first);
  for (let i = 0; i < DEBIANS; i++) host.restoreDomain(image, { name: `debian${i}` });
  return host;
}

function expectPrompt(text: string): void {
  if (!text.includes(PROMPT)) throw new Error(`no prompt appeared behind:\n${text.slice(-500)}`);
}
