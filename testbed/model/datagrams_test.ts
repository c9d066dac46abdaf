import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { createLinux, flatPlatform, type Platform, type Program } from "../../guests/model/mod.ts";
import { Network } from "../../guests/model/net/network.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import type { OutsideProgram } from "../../guests/model/net/outside_machine.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import { computing } from "../../guests/model/workloads/compute.ts";
import { gameServer, Players } from "../../guests/model/workloads/game_server/game_server.ts";
import { NetworkFlood } from "../../guests/model/workloads/network_flood/network_flood.ts";
import { Pinger, udpEcho } from "../../guests/model/workloads/udp_echo/udp_echo.ts";
import { BareBox } from "./bare_box.ts";
import { cableToOutside } from "./cabling.ts";

const BOX = 0x0a000001;
const OUTSIDE = 0x0a000002;
const HZ = 2.4e9;
const FREE = flatPlatform("free", false, {});
/** A packet costs 100 us. */
const SLOW = flatPlatform("slow", false, { framesReceived: 240_000 });

function box(
  outside: OutsideProgram,
  program: Program,
  locals = {},
  platform: Platform = FREE,
  neighbours: readonly Program[] = [],
): BareBox {
  const made: BareBox = new BareBox({
    cpus: 1,
    frequencyHz: HZ,
    kernel: (machine, clock) => {
      const linux = createLinux({ name: "linux", machine, platform, memoryBytes: 2 ** 24 });
      const { kernel, descriptors } = linux;
      const network = new Network(kernel, descriptors, { address: hostAddress(BOX) });
      const raise = () => kernel.interrupt("eth0");
      const { nic } = cableToOutside(clock, raise, hostAddress(OUTSIDE), outside);
      kernel.install(network);
      kernel.install(new NicDriver("eth0", kernel, network, nic));
      for (const each of neighbours) kernel.spawn(each);
      kernel.spawn(program, { locals });
      return kernel;
    },
  });
  return made;
}

const pings = { address: BOX, port: 7, intervalNs: 10e6, bytes: 64, seed: 1 };

Deno.test("an echo from a system with time takes the way there and back, and the interrupts' patience", () => {
  const pinger = new Pinger(pings);
  box(pinger, udpEcho, { port: 7 }).advance(2 * HZ as Cycle);
  const { sent, answered, meanMs, worstMs } = pinger.result;
  assert(answered >= sent - 1 && sent > 150, `${answered} of ${sent}`);
  // Twice the cable and 72 us on each card.
  assert(meanMs > 0.15 && meanMs < 0.18 && worstMs < 0.2, `${meanMs} ${worstMs}`);
});

Deno.test("beside a process that computes, an echo's process goes first when it wakes", () => {
  const pinger = new Pinger(pings);
  box(pinger, udpEcho, { port: 7 }, FREE, [computing(HZ)]).advance(2 * HZ as Cycle);
  assert(pinger.result.meanMs < 10, `${pinger.result.meanMs}`);
});

Deno.test("a game's players see their moves at the next tick of the server", () => {
  const players = new Players({ address: BOX, port: 27960, players: 8, moveNs: 50e6 });
  const locals = { port: 27960, tickCycles: HZ / 20, address: OUTSIDE };
  box(players, gameServer, locals).advance(3 * HZ as Cycle);
  const { moves, updates, meanMs, worstMs } = players.result;
  assert(moves > 450 && updates > 0.85 * moves, `${updates} of ${moves}`);
  assert(meanMs > 10 && worstMs < 75, `${meanMs} ${worstMs}`);
});

Deno.test("a flood leaves a slow system no time for its own work, and its card drops what it cannot take", () => {
  const flood = { address: BOX, port: 9, bytes: 64, datagramsPerSecond: 50_000, startNs: 0 };
  const program = computing(HZ);
  const rounds = (outside: OutsideProgram) => {
    const made = box(outside, program, {}, SLOW);
    made.advance(HZ as Cycle);
    return [...made.kernel.processes.values()][0].locals.rounds as number ?? 0;
  };
  const quiet = rounds(new NetworkFlood({ ...flood, datagramsPerSecond: 1 }));
  const loud = rounds(new NetworkFlood(flood));
  assert(loud < quiet / 10, `${loud} of ${quiet}`);
});

Deno.test("a pinger that was saved and restored goes on as the one that was not", () => {
  const [one, other] = [new Pinger(pings), new Pinger(pings)];
  box(one, udpEcho, { port: 7 }).advance(HZ as Cycle);
  other.restore(JSON.parse(JSON.stringify(one.save())));
  assertEquals(other.result, one.result);
});
