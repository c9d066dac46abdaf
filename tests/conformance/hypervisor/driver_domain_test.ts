/** Back ends in driver domains and in the hypervisor: who pays, what tools show, what happens when the driver domain goes. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { CostName } from "../../../core/clock/profiles/cost_profile.ts";
import { auditFrames } from "../../../core/hypervisor/memory/audit.ts";
import type { DomainId } from "../../../core/lib/brand.ts";
import { DiskImage, zeroBase } from "../../../devices/disk/mod.ts";
import { type DomainConfig, Host, type HostDomain } from "../../../testbed/host/host.ts";
import { listCards, listDisks, listDomains, top } from "../../../testbed/toolstack/listings.ts";
import { Toolstack } from "../../../testbed/toolstack/mod.ts";
import { answer, PROMPT, startTiny } from "./tiny_session.ts";

const DOM0 = 0 as DomainId;
const WORK: readonly CostName[] = ["frames", "grantOperations", "diskBytes"];

/** Two domains that exchange packets and write to disks whose back ends are in `place`. */
async function pair(place: "Domain-0" | "drivers" | "hypervisor") {
  const host = await Host.boot({
    memory: "64MiB",
    profile: "xeon-2003",
    backEnds: place === "hypervisor" ? "hypervisor" : "domain-0",
  });
  const { frames } = host.hypervisor;
  const before = frames.freeFrames;
  const driver = await host.create({ name: "drivers", kernel: "drivers", memory: "4MiB" });
  const driverFrames = before - frames.freeFrames;
  const backend = place === "drivers" ? "drivers" : undefined;
  const domains: HostDomain[] = [];
  for (const n of [1, 2]) {
    domains.push(
      await startTiny(host, `n${n}`, `ip 10.0.0.${n}`, {
        vif: [{ backend }],
        disk: [{ vdev: "xvda", image: new DiskImage(zeroBase(1 << 16)), backend }],
      }),
    );
  }
  for (const each of domains) await answer(each);
  const [a, b] = domains;
  return { host, driver, driverFrames, a, b };
}

/** What the domains that could pay were billed for the same traffic, and how long each ran. */
async function bills(place: Parameters<typeof pair>[0]) {
  const { host, driver, a, b } = await pair(place);
  const payers = { zero: DOM0, driver: driver.id, guests: [a.id, b.id] };
  const count = (id: DomainId) =>
    WORK.map((cost) => host.ledger.entries(id).find((each) => each.cost === cost)?.count ?? 0);
  const sum = (id: DomainId | readonly DomainId[]) =>
    [id].flat().map(count).reduce((all, one) => all.map((value, n) => value + one[n]));
  const counts = () => Object.values(payers).map(sum);
  const ran = () => [DOM0, driver.id].map((id) => host.dispatcher.domainCycles(id));
  const [before, ranBefore] = [counts(), ran()];
  assertStringIncludes((await answer(b, "udp 10.0.0.1 50 1000"))[0], "50 of 50 answers");
  assertEquals(await answer(a, "check 20"), ["20 sectors written and read"]);
  const grew = counts().map((each, n) => each.map((value, k) => value - before[n][k]));
  const [zero, drivers] = ran().map((value, n) => value - ranBefore[n]);
  return { grew, zero, drivers };
}

Deno.test("the work of back ends is billed where they are placed", async () => {
  // An ARP request, its answer, 50 datagrams and their echoes: sent to the bridge, and taken from it.
  const frames = 2 * (2 + 2 * 50);
  const sectors = 2 * 20;
  const work = [frames, frames + sectors, sectors * 512];
  const none = [0, 0, 0];
  const [zero, driver, hypervisor] = [
    await bills("Domain-0"),
    await bills("drivers"),
    await bills("hypervisor"),
  ];
  assertEquals(zero.grew, [work, none, none]);
  assertEquals(driver.grew, [none, work, none]);
  assertEquals(hypervisor.grew, [none, none, work]);
  // Domain 0 still has consoles and the store to see to.
  assert(driver.drivers > 3 * driver.zero, `${driver.drivers} and ${driver.zero}`);
  assertEquals([zero.drivers, hypervisor.drivers], [0, 0]);
  assert(zero.zero > 3 * hypervisor.zero, `${zero.zero} and ${hypervisor.zero}`);
});

Deno.test("tools show which domain serves a device, and how long it ran", async () => {
  const { host, driver, a, b } = await pair("drivers");
  const tools = Toolstack.of(host);
  const before = { cycle: 0, running: new Map<DomainId, number>() };
  top(tools, before);
  await answer(b, "udp 10.0.0.1 200 1400");
  // Name, state, seconds, percent.
  const shares = top(tools, before).split("\n").slice(1).map((row) => row.trim().split(/\s+/));
  const [zero, drivers] = shares.map(([, , , percent]) => Number(percent));
  assert(drivers > 3 * zero, `${drivers} % and ${zero} %`);
  const path = `/local/domain/${driver.id}/backend`;
  assertStringIncludes(
    listCards(tools, a),
    `0   ${driver.id}  00:16:3e:00:02:00      0     4   ${path}/vif/2/0`,
  );
  assertStringIncludes(
    listDisks(tools, a),
    `51712 ${driver.id}   2      4     ${path}/vbd/2/51712`,
  );
  const row = listDomains(tools).split("\n").find((line) => line.startsWith("drivers"))!;
  assertEquals(row.split(/\s+/).slice(0, 4), ["drivers", "1", "4", "1"]);
  assertEquals(host.zero.tools.getPermissions(`${path}/vif/2/0`), [
    { domain: driver.id, access: "n" },
    { domain: a.id, access: "r" },
  ] as never);
});

/** Nothing of a driver domain is left: no frame, no channel, no mapping, no node. */
function expectGone(host: Host, { id }: HostDomain, freeFrames: number): void {
  const { hypervisor, zero } = host;
  assertEquals(hypervisor.frames.freeFrames, freeFrames);
  assertEquals(auditFrames(hypervisor), []);
  hypervisor.grants.audit();
  assertEquals(hypervisor.domains.has(id), false);
  assertEquals([...zero.store.list(`/local/domain/${id}`)], []);
}

Deno.test("when a driver domain is destroyed, its front ends close, and nothing of it is left", async () => {
  const { host, driver, driverFrames, a, b } = await pair("drivers");
  const { hypervisor, zero } = host;
  const states: string[] = [];
  const session = zero.store.open(DOM0, {
    onEvent: () => {
      while (session.takeEvent());
      const state = session.readText(`/local/domain/${a.id}/device/vif/0/state`);
      if (state !== null && state !== states.at(-1)) states.push(state);
    },
  });
  session.watch(`/local/domain/${a.id}/device/vif/0/state`, "front");
  b.console.send("udp 10.0.0.1 1000\n");
  await host.run({ forCycles: 2_000_000 as never });
  const freeFrames = hypervisor.frames.freeFrames + driverFrames;
  host.destroy(driver);
  for (const each of [a, b]) {
    while (!/card is gone[^]*disk is gone/.test(each.console.text)) {
      await host.run({ forCycles: 1_000_000 as never });
    }
  }
  assertStringIncludes(b.console.text, "answers from 10.0.0.1 in");
  await host.run({ forCycles: 1_000_000 as never });
  // Connected, Closed.
  assertEquals(states, ["4", "6"]);
  expectGone(host, driver, freeFrames);
  assertEquals([zero.cardsOf(a.id), zero.disksOf(a.id)], [[], []]);
  assertEquals(zero.bridge("br0").ports.some(({ attached }) => attached), false);
  assertEquals(await answer(a, "read 1"), ["there is no disk"]);
  // Another driver domain takes over.
  const heir = await host.create({ name: "heir", kernel: "drivers", memory: "4MiB" });
  for (const each of [a, b]) host.plugVif(each, 0, { backend: heir.id });
  for (const each of [a, b]) await answer(each, "wait 1");
  assertStringIncludes((await answer(b, "ping 10.0.0.1 2"))[0], "2 of 2 answers");
});

Deno.test("a driver domain ends when tools ask it to, and a guest that goes first leaves it nothing", async () => {
  const { host, driver, driverFrames, a, b } = await pair("drivers");
  host.destroy(a);
  assertEquals([...host.zero.store.list(`/local/domain/${driver.id}/backend/vif/${a.id}/0`)], []);
  Toolstack.of(host).shutdown(driver);
  await host.run({ untilShutdown: driver, forCycles: 1e9 as never });
  assertEquals(driver.domain.shutdown, "poweroff");
  const freeFrames = host.hypervisor.frames.freeFrames + driverFrames;
  host.destroy(driver);
  await answer(b, "wait 1");
  expectGone(host, driver, freeFrames);
});

Deno.test("xl.cfg names the domain that serves a device", async () => {
  const directory = await Deno.makeTempDir();
  const file = async (name: string, text: string) => {
    await Deno.writeTextFile(`${directory}/${name}`, text);
    return `${directory}/${name}`;
  };
  await file("disk.img", "\0".repeat(1 << 16));
  const guest = (backend: string) =>
    `name = "web"
kernel = "tiny"
memory = 4
extra = "ip 10.0.0.1"
disk = [ 'disk.img,raw,xvda,w,backend=${backend}' ]
vif = [ 'backend=${backend},rate=8Mb/s' ]
`;
  const tools = Toolstack.of(await Host.boot({ memory: "64MiB" }));
  const { host } = tools;
  const before = host.hypervisor.frames.freeFrames;
  await assertRejects(
    async () => await tools.create(await file("web.cfg", guest("storage"))),
    RangeError,
    "backend storage is none of the driver domains: there are none",
  );
  assertEquals([host.hypervisor.frames.freeFrames, host.domains.length], [before, 0]);
  const drivers = `name = "storage"\nkernel = "drivers"\nmemory = 4\ndriver_domain = 1\n`;
  const driver = await tools.create(await file("storage.cfg", drivers));
  const web = await tools.create(await file("web.cfg", guest("storage")));
  await answer(web);
  assertEquals(host.zero.disksOf(web.id).map(({ backend }) => backend), [driver.id]);
  tools.blockDetach(web, "xvda");
  await web.console.waitFor("tiny: the disk is gone\n");
  tools.networkAttach(web, `backend=Domain-0,bridge=br1`);
  assertEquals(host.zero.cardsOf(web.id).map(({ backend }) => backend), [driver.id, DOM0]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a host with driver domains goes back to a snapshot, and on from there the same", async () => {
  for (const place of ["drivers", "hypervisor"] as const) {
    const { host, b } = await pair(place);
    b.console.send("udp 10.0.0.1 100 500\n");
    await host.run({ forCycles: 1_000_000 as never });
    const record = host.snapshot();
    const rest = async () => {
      await host.run({ forCycles: 20_000_000 as never });
      const { clock, trace } = host.hardware;
      return { now: clock.now, hash: trace.hash, cards: structuredClone(cards()) };
    };
    const cards = () => host.zero.cardsOf(b.id).map(({ driver }) => driver.counters);
    const first = await rest();
    host.restore(record);
    assertEquals(await rest(), first);
    assert(b.console.text.includes(`100 of 100 answers`) && b.console.text.endsWith(PROMPT));
  }
});

Deno.test("what is no driver domain is refused", async () => {
  const nowhere = { memory: "32MiB", backEnds: "nowhere" as "hypervisor" };
  await assertRejects(async () => await Host.boot(nowhere), RangeError, "domain-0, hypervisor");
  const host = await Host.boot({ memory: "32MiB" });
  const drivers: DomainConfig = { name: "d", kernel: "drivers", memory: "4MiB" };
  for (
    const [config, complaint] of [
      [{ ...drivers, vcpus: 2 }, "a driver domain has 1 virtual CPU, found 2"],
      [{ ...drivers, vif: [{}] }, "has none of its own"],
      [{ ...drivers, memory: "1GiB" }, "the machine has not"],
      [{ name: "a", kernel: "tiny", memory: "4MiB", vif: [{ backend: "x" }] }, "there are none"],
    ] as const
  ) {
    const before = [host.hypervisor.frames.freeFrames, host.hypervisor.domains.size];
    await assertRejects(() => host.create(config), RangeError, complaint);
    assertEquals([host.hypervisor.frames.freeFrames, host.hypervisor.domains.size], before);
  }
});
