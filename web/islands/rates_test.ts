import { assertEquals } from "@std/assert";
import type { HostSample } from "../../mod.ts";
import { linesOver, linkRate, ratesBetween } from "./rates.ts";

/** A host with one domain, after some seconds. */
function after(seconds: number, cpuSeconds: number, bytes: number, id = 1): HostSample {
  const link = {
    bridge: "br0",
    port: "vif1.0",
    receivedFrames: 0,
    sentFrames: 0,
    droppedFrames: 0,
  };
  return {
    host: "host1",
    timeNs: seconds * 1e9,
    scheduler: "credit",
    memoryBytes: 2 ** 30,
    cpus: [],
    domains: [{
      id,
      name: "d",
      activity: "running",
      vcpus: 1,
      cpuNs: cpuSeconds * 1e9,
      waitNs: 0,
      memoryBytes: 4096,
      maxMemoryBytes: 4096,
      disk: { reads: 0, writes: 0, readBytes: bytes, writtenBytes: bytes },
      hasConsole: false,
    }],
    links: [{ ...link, domain: id, receivedBytes: bytes, sentBytes: 2 * bytes }],
    schedule: [],
  };
}

Deno.test("rates are what happened a simulated second, CPU in percent of one", () => {
  const row = ratesBetween(after(1, 0.5, 100), after(3, 1.5, 500))!;
  assertEquals(row.seconds, 3);
  assertEquals([...row.domains], [[1, { cpu: 50, memory: 4096, network: 600, disk: 400 }]]);
});

Deno.test("between samples of one instant there is no rate", () => {
  assertEquals(ratesBetween(after(1, 0, 0), after(1, 0, 0)), null);
  const one = after(1, 0, 0);
  assertEquals(linkRate(one, one, one.links[0]), 0);
});

Deno.test("a domain that was not there before has no rate, and leaves a gap", () => {
  const row = ratesBetween(after(1, 0, 0, 1), after(2, 0, 0, 2))!;
  assertEquals([...row.domains], []);
  assertEquals(linesOver([row], [1, 2], "cpu"), { seconds: [2], values: [[null], [null]] });
});

Deno.test("a port's rate counts both ways", () => {
  const later = after(3, 0, 500);
  assertEquals(linkRate(after(1, 0, 100), later, later.links[0]), 600);
  assertEquals(linkRate(undefined, later, later.links[0]), 0);
});
