/** The remote stub and clients that do as they should, or not: the machine stays as it was. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { assemble } from "../../core/x86/assembler/mod.ts";
import type { Cycle } from "../../core/clock/clock.ts";
import { createMachine, Host, type Machine, serveGdb } from "../../mod.ts";
import { PacketReader, writePacket } from "../../testbed/gdb/packets.ts";
import { kernelOf } from "./small_kernel.ts";

const SOURCE = `
        mov esp, 0x9000
        mov ecx, 1000000
again:  inc dword [counter]
        dec ecx
        jnz again
        mov al, 0x10
        mov dx, 0xf4
        out dx, al
align 16
counter: dd 0
`;
const { labels: { again, counter } } = assemble(SOURCE, { bits: 32, origin: 0x10_0000 });
const hex = (value: bigint) => value.toString(16);

async function machine(): Promise<Machine> {
  return await createMachine({ kernel: kernelOf(SOURCE), memory: "4MiB" });
}

const free = await machine();
assertEquals((await free.run()).kind, "exit");

/** A client that speaks the protocol. */
class Client {
  readonly #reader = new PacketReader();
  readonly #packets: string[] = [];

  constructor(readonly connection: Deno.TcpConn) {}

  static async of(port: number): Promise<Client> {
    return new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await this.connection.write(bytes.subarray(done));
    }
  }

  /** Sends a packet; resolves with its answer. */
  async ask(data: string): Promise<string> {
    await this.write(writePacket(data));
    return await this.answer();
  }

  async answer(): Promise<string> {
    const buffer = new Uint8Array(65536);
    while (this.#packets.length === 0) {
      const length = await this.connection.read(buffer);
      if (length === null) return "closed";
      for (const each of this.#reader.read(buffer.subarray(0, length))) {
        if (each.kind === "packet") this.#packets.push(each.data);
      }
    }
    return this.#packets.shift()!;
  }
}

/** Serves a machine to `work`, then lets it end by itself and compares it with one that nobody looked at. */
async function unharmed(work: (port: number, machine: Machine) => Promise<void>): Promise<void> {
  const served = await machine();
  const server = await serveGdb(served);
  try {
    await work(server.port, served);
  } finally {
    server.close();
  }
  while (served.running) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(served.debugger.stops, []);
  if (served.lastStop?.kind !== "exit") assertEquals((await served.run()).kind, "exit");
  assertEquals([served.now, served.trace.hash], [free.now, free.trace.hash]);
}

/** Packets and their answers, in one session. */
const TRANSCRIPT: readonly (readonly [packet: string, answer: string | RegExp])[] = [
  ["qSupported:swbreak+", /PacketSize=4000;qXfer:features:read\+/],
  ["?", "T05thread:1;"],
  ["qXfer:features:read:target.xml:0,4000", /^l<\?xml.*<architecture>i386<.*name="eip"/],
  ["qXfer:features:read:target.xml:0,10", /^m<\?xml version="1$/],
  ["qXfer:features:read:other.xml:0,10", "E00"],
  ["qfThreadInfo", "m1"],
  ["qsThreadInfo", "l"],
  ["qC", "QC1"],
  ["Hg1", "OK"],
  ["Hg7", "E01"],
  ["T1", "OK"],
  ["T2", "E01"],
  ["p8", /^00001000$/],
  ["p8000", "E01"],
  ["m100000,4", "bc009000"],
  ["mzz,4", "E01"],
  ["m", "E01"],
  ["Z9,1000,1", ""],
  ["Z0,,1", "E01"],
  ["Z0,1000,ffffff", "E01"],
  ["vMustReplyEmpty", ""],
  ["vCont?", "vCont;c;C;s;S"],
  ["vCont;q", "E01"],
  ["bx", ""],
  ["\u00ff\u0000rubbish", ""],
  ["qRcmd,zz", "E01"],
  [`Z0,${hex(again)},1`, "OK"],
  ["vCont;c", "T05thread:1;swbreak:;"],
  ["P1=40", "E01"],
  ["Pa=00000000", "E02"],
  [`M${hex(counter)},2:00`, "E01"],
  ["Mfff00000,1:00", "E14"],
  ["X100000,0:", ""],
  ["p8", `${hex(again).padStart(8, "0").match(/../g)!.reverse().join("")}`],
  ["p1", "40420f00"],
  [`z0,${hex(again)},1`, "OK"],
  [`Z2,${hex(counter)},4`, "OK"],
  ["vCont;c", `T05thread:1;watch:${hex(counter)};`],
  [`m${hex(counter)},4`, "01000000"],
  ["vCont;s:1", "T05thread:1;"],
  [`z2,${hex(counter)},4`, "OK"],
  ["vCont;c", "W21"],
];

Deno.test("a session is answered packet by packet", async () => {
  await unharmed(async (port) => {
    const client = await Client.of(port);
    for (const [packet, expected] of TRANSCRIPT) {
      const answer = await client.ask(packet);
      if (typeof expected === "string") assertEquals(answer, expected, packet);
      else assert(expected.test(answer), `${packet}: ${answer}`);
    }
    client.connection.close();
  });
});

Deno.test("a client writes registers and memory, one or all at once", async () => {
  const served = await machine();
  const server = await serveGdb(served);
  try {
    const client = await Client.of(server.port);
    const ask = async (packet: string, answer: string) =>
      assertEquals(await client.ask(packet), answer, packet);
    await ask(`Z0,${hex(again)},1`, "OK");
    await ask("vCont;c", "T05thread:1;swbreak:;");
    await ask(`z0,${hex(again)},1`, "OK");
    await ask("P1=07000000", "OK");
    await ask("p1", "07000000");
    const all = await client.ask("g");
    await ask(`G05${all.slice(2)}`, "OK");
    await ask("p0", "05000000");
    await ask(`G${all.slice(0, -2)}ff`, "E02");
    await ask(`M${hex(counter)},2:6400`, "OK");
    await ask("vCont;c", "W21");
    await ask(`m${hex(counter)},4`, "6b000000");
    client.connection.close();
  } finally {
    server.close();
  }
});

Deno.test("monitor commands print what the prompt's commands do, and errors that help", async () => {
  await unharmed(async (port) => {
    const client = await Client.of(port);
    const monitor = async (line: string) => {
      const digits = [...new TextEncoder().encode(line)]
        .map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const answer = await client.ask(`qRcmd,${digits}`);
      return new TextDecoder().decode(
        Uint8Array.from(answer.match(/../g) ?? [], (pair) => parseInt(pair, 16)),
      );
    };
    assertStringIncludes(await monitor("walk 0x1000"), "paging is off");
    assertStringIncludes(await monitor("gdt"), "GDT at ");
    assertStringIncludes(await monitor("wolk 0x1000"), "did you mean walk?");
    assertStringIncludes(await monitor("cont"), "gdb runs the machine");
    assertStringIncludes(await monitor("help"), "page tables");
    client.connection.close();
  });
});

Deno.test("an interrupt stops a running machine", async () => {
  await unharmed(async (port) => {
    const client = await Client.of(port);
    await client.write(writePacket("vCont;c"));
    await client.write(Uint8Array.of(3));
    const answer = await client.answer();
    assert(["T02thread:1;", "W21"].includes(answer), answer);
    client.connection.close();
  });
});

Deno.test("garbage, and a client that leaves in the middle of a packet or of a run", async () => {
  await unharmed(async (port) => {
    const noise = await Client.of(port);
    await noise.write(Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919 + (i >> 8)) & 0xff));
    noise.connection.close();
    const partly = await Client.of(port);
    await partly.write(new TextEncoder().encode("$Z0,1000"));
    partly.connection.close();
    const running = await Client.of(port);
    assertEquals(await running.ask(`Z0,${hex(again + 1n)},1`), "OK");
    await running.write(writePacket("vCont;c"));
    running.connection.close();
    const next = await Client.of(port);
    assertEquals(await next.ask("qC"), "QC1");
    next.connection.close();
  });
});

Deno.test("a client that floods a running machine is let go", async () => {
  await unharmed(async (port) => {
    const client = await Client.of(port);
    await client.write(writePacket("vCont;c"));
    const packet = writePacket("g");
    const flood = new Uint8Array(packet.length * 1000);
    for (let i = 0; i < 1000; i++) flood.set(packet, i * packet.length);
    try {
      await client.write(flood);
      while (await client.answer() !== "closed");
    } catch (error) {
      assert(error instanceof Error);
    }
    try {
      client.connection.close();
    } catch (error) {
      assert(error instanceof Deno.errors.BadResource);
    }
    const next = await Client.of(port);
    assertEquals(await next.ask("qC"), "QC1");
    next.connection.close();
  });
});

Deno.test("several machines listen on several ports; a port that is taken is told", async () => {
  const servers = [await serveGdb(await machine()), await serveGdb(await machine())];
  const { port } = servers[0];
  assert(port !== servers[1].port);
  assertEquals(await (await Client.of(servers[1].port)).ask("qC"), "QC1");
  const third = await machine();
  const again = () => serveGdb(third, { port });
  await assertRejects(again, RangeError, `port ${port} of 127.0.0.1 is in use`);
  for (const server of servers) server.close();
});

Deno.test("a domain of a host is served as a machine is, but that it has no past", async () => {
  const host = await Host.boot({ memory: "64MiB" });
  const domain = await host.create({ name: "a", kernel: "tiny", memory: "4MiB" });
  await domain.console.waitFor("tiny> ");
  const { rip } = domain.cpus[0].registers;
  const server = await serveGdb(domain, { run: { untilCycle: domain.now + 1_000_000 as Cycle } });
  const client = await Client.of(server.port);
  const little = (value: bigint) =>
    value.toString(16).padStart(16, "0").match(/../g)!.reverse().join("");
  const bytes = [...domain.memory.readLinear(0, rip, 4)];
  const supported = await client.ask("qSupported");
  assertStringIncludes(supported, "hwbreak+");
  assert(!supported.includes("Reverse"), supported);
  assertStringIncludes(await client.ask("qXfer:features:read:target.xml:0,4000"), "i386:x86-64");
  assertEquals(await client.ask("p10"), little(rip));
  assertEquals(
    await client.ask(`m${hex(rip)},4`),
    bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  );
  assertEquals(await client.ask("bs"), "");
  domain.console.send("help\n");
  assertEquals(await client.ask(`Z1,${hex(rip + 1n)},1`), "OK");
  assertEquals(await client.ask("vCont;c"), "T05thread:1;hwbreak:;");
  assertEquals(await client.ask("p10"), little(rip + 1n));
  assertEquals(await client.ask("vCont;s:1"), "T05thread:1;");
  assertEquals(await client.ask("D"), "OK");
  assertEquals(domain.debugger.stops, []);
  client.connection.close();
  server.close();
});
