import { assertEquals } from "@std/assert";
import { tinyGuests } from "../../guests/tiny/mod.ts";
import type { Cycles } from "../../core/clock/clock.ts";
import { formatIpv4, parseIpv4 } from "../../devices/net/mod.ts";
import { createMachine } from "../machine.ts";
import { describeMachine } from "../views.ts";

const KERNEL = { kernel: tinyGuests[0].image(), memory: "16MiB" } as const;

Deno.test("a machine with a card has a network with its script on it, and says its name", async () => {
  const machine = await createMachine({ ...KERNEL, name: "web1", net: "lan0" });
  const { lan, host } = machine.network!;
  assertEquals(lan.ports.map(({ name }) => name), ["host", "web1"]);
  assertEquals(formatIpv4(host.address), "10.0.2.2");
  assertEquals(/network +lan0/.test(describeMachine(machine)), true);
});

Deno.test("the script's frames reach the card's port in simulated time", async () => {
  const machine = await createMachine({ ...KERNEL, name: "web2", net: "lan0" });
  const { lan, host } = machine.network!;
  const ping = host.ping(parseIpv4("10.0.2.15"));
  assertEquals(machine.trace.recent(1)[0]?.kind, "input");
  assertEquals(lan.ports[1].counters.sentFrames, 0);
  await machine.run({ forCycles: 10_000 as Cycles });
  // The ARP request that comes before it: nobody answers.
  assertEquals([lan.ports[1].counters.sentFrames, ping.answeredNs], [1, null]);
});

Deno.test("a machine without a card has no network", async () => {
  const machine = await createMachine(KERNEL);
  assertEquals(machine.network, null);
  assertEquals(/network +none/.test(describeMachine(machine)), true);
});
