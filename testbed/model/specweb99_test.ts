import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { Descriptors, flatPlatform, Kernel } from "../../guests/model/mod.ts";
import { SharedMemory } from "../../guests/model/ipc/shared_memory.ts";
import { Network } from "../../guests/model/net/network.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import { apache } from "../../guests/model/workloads/specweb99/apache.ts";
import { conforming, SpecWebClients } from "../../guests/model/workloads/specweb99/clients.ts";
import { serverCalls } from "../../guests/model/workloads/specweb99/server_calls.ts";
import { BareBox } from "./bare_box.ts";
import { cableToOutside } from "./cabling.ts";

const BOX = hostAddress(0x0a000001);
const HZ = 2.4e9;

/** Two seconds of so many connections to a server whose kernel takes no time. */
function measure(connections: number, processes: number, seed = 1) {
  let network: Network | null = null;
  const box = new BareBox({
    cpus: 1,
    frequencyHz: HZ,
    kernel: (machine) => {
      const platform = flatPlatform("free", false, {});
      const kernel = new Kernel({ name: "linux", machine, platform });
      const descriptors = new Descriptors(kernel);
      network = new Network(kernel, descriptors, { address: BOX });
      for (const module of [descriptors, network, new SharedMemory(kernel), serverCalls]) {
        kernel.install(module);
      }
      kernel.spawn(apache, { locals: { port: 80, processes } });
      return kernel;
    },
  });
  const servers = [{ address: BOX as number, port: 80 }];
  const clients = new SpecWebClients({ servers, connections, seed, rampNs: 1e9 });
  const raise = () => box.kernel.interrupt("eth0");
  const { nic } = cableToOutside(box.clock, raise, hostAddress(0x0a000002), clients);
  box.kernel.install(new NicDriver("eth0", box.kernel, network!, nic));
  box.advance(2 * HZ as Cycle);
  clients.reset();
  box.advance(4 * HZ as Cycle);
  return clients.results;
}

Deno.test("a server that has time gives each connection its line's 400 kb/s, less what a request's way takes", () => {
  const results = measure(20, 30);
  assertEquals(conforming(results, 1), [20]);
  for (const { bytes, ns, errors } of results) {
    const kilobits = bytes * 8e6 / ns;
    assertEquals(errors, 0);
    assert(kilobits > 380 && kilobits <= 400.001, `${kilobits}`);
  }
});

Deno.test("connections that find no process of the server wait, and do not conform", () => {
  const results = measure(20, 10);
  const [count] = conforming(results, 1);
  assert(count < 15, `${count}`);
});

Deno.test("a seed gives the same results again, another seed others", () => {
  assertEquals(measure(10, 12, 5), measure(10, 12, 5));
  assert(JSON.stringify(measure(10, 12, 6)) !== JSON.stringify(measure(10, 12, 5)));
});
