import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import {
  call,
  compute,
  Descriptors,
  exit,
  flatPlatform,
  Kernel,
  type Program,
} from "../../guests/model/mod.ts";
import { Network } from "../../guests/model/net/network.ts";
import { NicDriver } from "../../guests/model/net/nic_driver.ts";
import { hostAddress } from "../../guests/model/net/packet.ts";
import { OutsideTtcp } from "../../guests/model/workloads/ttcp/outside_ttcp.ts";
import { ttcpReceive, ttcpTransmit } from "../../guests/model/workloads/ttcp/ttcp.ts";
import { BareBox } from "./bare_box.ts";
import { cableToOutside } from "./cabling.ts";

const BOX = hostAddress(0x0a000001);
const OUTSIDE = hostAddress(0x0a000002);
const HZ = 2.4e9;
const FREE = flatPlatform("free", false, {});

function boxWith(programs: readonly Program[], platform = FREE, locals = {}, mtu = 1500) {
  let network: Network | null = null;
  const box = new BareBox({
    cpus: 1,
    frequencyHz: HZ,
    kernel: (machine) => {
      const kernel = new Kernel({ name: "linux", machine, platform });
      const descriptors = new Descriptors(kernel);
      network = new Network(kernel, descriptors, { address: BOX, mtu });
      kernel.install(descriptors);
      kernel.install(network);
      // The one that is started last runs first.
      for (const program of programs) kernel.spawn(program, { locals: structuredClone(locals) });
      return kernel;
    },
  });
  return { box, network: network! as Network };
}

const values = (box: BareBox) => box.kernel.reports.map(({ value }) => value);

/** Answers what is said to it, until its peer has no more to say. */
const echo: Program = {
  name: "echo",
  steps: {
    begin: () => call("listen", { port: 7 }, "accept"),
    accept: ({ value }) => call("accept", { fd: value }, "listen"),
    listen: ({ locals, value }) => {
      locals.fd ??= value;
      return call("recv", { fd: locals.fd, bytes: 4096 }, "answer");
    },
    answer: ({ locals, result }) => {
      const { bytes, says } = result as { bytes: number; says: string[] };
      if (bytes === 0) return call("close", { fd: locals.fd }, "end");
      return call("write", { fd: locals.fd, bytes, says: `${says[0]} too` }, "listen");
    },
    end: () => exit(),
  },
};

const ask: Program = {
  name: "ask",
  steps: {
    begin: () => call("connect", { address: BOX, port: 7 }, "say"),
    say: ({ locals, value }) => {
      locals.fd = value;
      return call("write", { fd: value, bytes: 100, says: "hello" }, "wait");
    },
    wait: ({ locals }) => call("select", { read: [locals.fd as number] }, "hear"),
    hear: ({ locals }) => call("recv", { fd: locals.fd, bytes: 4096 }, "tell"),
    tell: ({ locals, result }) => {
      locals.said = result;
      return call("report", { name: "heard", value: result }, "end");
    },
    end: ({ locals }) => call("close", { fd: locals.fd }, "over"),
    over: () => exit(),
  },
};

Deno.test("two processes of one system talk over its own address, and nothing is left of it", () => {
  const { box, network } = boxWith([ask, echo]);
  box.advance(HZ as Cycle);
  assertEquals(values(box), [{ bytes: 100, says: ["hello too"] }]);
  assertEquals([box.kernel.processes.size, network.stack.connections], [0, 0]);
});

Deno.test("nobody listens: the connection is refused", () => {
  const program: Program = {
    name: "alone",
    steps: {
      begin: () => call("connect", { address: BOX, port: 7 }, "tell"),
      tell: ({ value }) => call("report", { name: "errno", value }, "end"),
      end: () => exit(),
    },
  };
  const { box } = boxWith([program]);
  box.advance(HZ as Cycle);
  assertEquals(values(box), [-111]);
});

Deno.test("a program that waits for datagrams gets those that come meanwhile, one by one", () => {
  const receive: Program = {
    name: "receive",
    steps: {
      begin: () => call("bind", { port: 9 }, "first"),
      first: ({ locals, value }) => {
        locals.fd = value;
        return compute(2e6, "next");
      },
      next: ({ locals }) => call("recv", { fd: locals.fd, bytes: 2048 }, "tell"),
      tell: ({ result }) => call("report", { name: "datagram", value: result }, "next"),
    },
  };
  const send: Program = {
    name: "send",
    steps: {
      begin: () => compute(1e6, "bind"),
      bind: () => call("bind", { port: 10 }, "one"),
      one: ({ locals, value }) => {
        locals.fd = value;
        return call("sendto", { fd: value, to: BOX, port: 9, bytes: 10, says: 1 }, "two");
      },
      two: ({ locals }) => call("sendto", { fd: locals.fd, to: BOX, port: 9, bytes: 20 }, "end"),
      end: () => exit(),
    },
  };
  const { box } = boxWith([send, receive]);
  box.advance(HZ as Cycle);
  assertEquals(values(box), [
    { bytes: 10, says: [1], from: BOX as number, fromPort: 10 },
    { bytes: 20, says: [], from: BOX as number, fromPort: 10 },
  ]);
});

for (const does of ["receive", "transmit"] as const) {
  Deno.test(`ttcp, outside end to ${does}: the cable limits a machine whose kernel costs nothing`, () => {
    const bytes = 10_000_000;
    const buffers = { sendBufferBytes: 131_072, receiveBufferBytes: 131_072 };
    const options = { mss: 1448, nagle: true, ...buffers };
    const locals = { address: OUTSIDE as number, port: 5001, bytes };
    const lengths = { bufferBytes: 131_072, lengthBytes: 8192 };
    const program = does === "receive" ? ttcpTransmit : ttcpReceive;
    const { box, network } = boxWith([program], FREE, { ...locals, ...lengths });
    const end = does === "receive" ? { does, port: 5001 } : { does, to: BOX, port: 5001, bytes };
    const raise = () => box.kernel.interrupt("eth0");
    const outside = new OutsideTtcp(end, options);
    const { nic } = cableToOutside(box.clock, raise, OUTSIDE, outside);
    box.kernel.install(new NicDriver("eth0", box.kernel, network, nic));
    box.advance(10 * HZ as Cycle);
    const [result] = values(box) as unknown as { bytes: number; cycles: number }[];
    const megabits = result.bytes * 8 / (result.cycles / HZ) / 1e6;
    assertEquals(result.bytes, bytes);
    // 1448 bytes in each 1538 bytes' time and 610 ns, but for the slow start and the last acknowledgments.
    assert(megabits > 860 && megabits < 905, `${megabits}`);
  });
}
