import { assertEquals } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { Random } from "../../core/lib/random.ts";
import { EthernetSwitch, parseIpv4, parseMac } from "../../devices/net/mod.ts";
import { type TcpStream, UserNetwork } from "../../devices/usernet/mod.ts";
import { WebClients, type WebResults } from "./web_clients.ts";

const SERVER = parseIpv4("10.0.0.16");
const PAGE = new Uint8Array(1000);

/** Clients at one end of a bridge, and at the other a machine that answers as `serve` says, for one second. */
function served(seed: number, serve: (stream: TcpStream) => void): WebResults {
  const clock = new MachineClock();
  const bridge = new EthernetSwitch({ name: "br0", clock });
  const network = (name: string, address: string, mac: string) =>
    new UserNetwork({
      clock,
      name,
      port: bridge.attach(name),
      mac: parseMac(mac),
      address: parseIpv4(address),
    });
  const machine = network("machine", "10.0.0.16", "00:16:3e:00:00:01");
  machine.listen({ address: SERVER, port: 80 }, { name: "www", data: (stream) => serve(stream) });
  const outside = network("outside", "10.0.0.1", "00:16:3e:00:00:02");
  const clients = new WebClients(outside, clock, SERVER, new Random(seed), {
    count: 4,
    thinkNs: 50e6,
    path: "/page",
    patienceNs: 100e6,
  });
  while (clock.nextDeadline <= clock.frequencyHz) {
    clock.advanceTo(clock.nextDeadline as Cycle);
    clock.runDue();
  }
  return clients.results;
}

const answer = (stream: TcpStream) => {
  stream.write(PAGE);
  stream.close();
};

Deno.test("each client asks, takes the answer, thinks, and asks again", () => {
  const { answers, failures, bytes, meanMs, worstMs } = served(1, answer);
  // Four clients that think for 50 ms: about eighty in a second.
  assertEquals(answers > 50 && answers < 110, true, String(answers));
  assertEquals([failures, bytes], [0, answers * PAGE.length]);
  assertEquals(meanMs > 0 && meanMs <= worstMs && worstMs < 5, true);
});

Deno.test("the same seed asks at the same instants, another one at others", () => {
  assertEquals(served(1, answer), served(1, answer));
  assertEquals(served(1, answer).meanMs === served(2, answer).meanMs, false);
});

Deno.test("an answer that does not come in time is a failure", () => {
  const { answers, failures } = served(1, () => {});
  assertEquals([answers, failures > 10], [0, true]);
});
