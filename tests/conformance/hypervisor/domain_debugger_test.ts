/** Debuggers of paravirtual domains: they stop where they are told, see what the domain sees, and nobody inside notices. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import type { Cycles } from "../../../core/clock/clock.ts";
import { physical } from "../../../core/lib/brand.ts";
import type { EngineName } from "../../../core/x86/engine.ts";
import { parseElf } from "../../../guests/linux/mod.ts";
import { tinyDomain } from "../../../guests/tiny/mod.ts";
import { Host, type HostDomain, replayHost, type StopReason } from "../../../mod.ts";
import { answer, startTiny } from "./tiny_session.ts";

const ENGINES: readonly EngineName[] = ["reference", "cold", "hot"];
const MS = 1_000_000 as Cycles;

/** What can be told of a host without a debugger. */
function outcome(host: Host) {
  const { clock, trace } = host.hardware;
  return [clock.reached, trace.hash, ...host.domains.map(({ console }) => console.text)];
}

/** A domain at its prompt, and the instruction that it goes on with when it is sent something. */
async function atPrompt(
  options: { readonly engine?: EngineName; readonly cpus?: number } = {},
): Promise<{ host: Host; a: HostDomain; woken: bigint }> {
  const host = await Host.boot({ memory: "64MiB", ...options });
  const a = await startTiny(host, "a", "ip 10.0.0.1");
  await answer(a);
  const [, next] = await a.disassemble(undefined, 2);
  return { host, a, woken: next.address };
}

/** Runs until the domain stops for its debugger no more. */
async function stopsOf(a: HostDomain): Promise<string[]> {
  const all: string[] = [];
  const untilCycle = a.now + MS as typeof a.now;
  for (;;) {
    const stop = await a.run({ untilCycle });
    if (stop.kind !== "breakpoint") return all;
    const hits = stop.hits.map(({ condition }) => condition.kind).join("+");
    all.push(`${a.now} v${stop.cpu} 0x${stop.address.toString(16)} ${hits}`);
  }
}

Deno.test("stops are met at the same cycles on every engine, and change neither outcome nor trace hash", async () => {
  const found: string[][] = [];
  for (const engine of ENGINES) {
    const plain = await atPrompt({ engine });
    const { host, a, woken } = await atPrompt({ engine });
    a.debugger.break(woken);
    a.debugger.watch("rsp-8");
    a.debugger.watch("rsp-16", { on: "read" });
    for (const each of [plain.a, a]) each.console.send("help\n");
    found.push(await stopsOf(a));
    await plain.host.run({ forCycles: MS });
    assertEquals(outcome(host), outcome(plain.host), engine);
  }
  assert(found[0].length > 5);
  assertEquals(new Set(found.flat().map((line) => line.split(" ")[3])), new Set(["code", "watch"]));
  assertEquals(found[1], found[0]);
  assertEquals(found[2], found[0]);
});

Deno.test("steps follow the domain's instructions as they are listed, over and out of functions", async () => {
  const { a, woken } = await atPrompt();
  a.debugger.break(woken);
  a.console.send("h");
  const stop = await a.run({ forCycles: MS });
  assertEquals([stop.kind, a.cpus[0].registers.rip], ["breakpoint", woken]);
  const lines = await a.disassemble(undefined, 3);
  const call = lines.find(({ text }) => text.startsWith("call"))!;
  const behind = lines[lines.indexOf(call) + 1].address;
  const from = a.now;
  while (a.cpus[0].registers.rip !== call.address) await a.debugger.stepInto();
  assertEquals(a.now - from, lines.indexOf(call));
  const { rsp } = a.cpus[0].registers;
  await a.debugger.stepInto();
  assertEquals(a.cpus[0].registers.rsp, rsp - 8n);
  assertEquals(a.debugger.place("[rsp]"), behind);
  assertEquals(`call 0x${a.cpus[0].registers.rip.toString(16)}`, call.text);
  await a.debugger.stepOver();
  while (a.cpus[0].registers.rip !== behind) await a.debugger.stepOver();
  assertEquals(a.cpus[0].registers.rsp, rsp);
});

Deno.test("memory is what the kernel's image holds, and the page tables lead there", async () => {
  const { a } = await atPrompt();
  const { rip } = a.cpus[0].registers;
  const segment = parseElf(tinyDomain()).segments.find(({ virtualAddress, bytes }) =>
    rip >= virtualAddress && rip < virtualAddress + BigInt(bytes.length)
  )!;
  const at = Number(rip - segment.virtualAddress);
  assertEquals(a.memory.readLinear(0, rip, 16), segment.bytes.slice(at, at + 16));
  const walk = a.debugger.walk(rip);
  assertEquals(walk.steps.map(({ name }) => name), ["PML4E", "PDPTE", "PDE", "PTE"]);
  assertEquals(a.memory.readBytes(physical(walk.physical!), 16), segment.bytes.slice(at, at + 16));
  assertEquals(a.debugger.backTrace()[0].address, rip);
});

Deno.test("of two domains of one kernel the one is stopped whose debugger was told to", async () => {
  const { host, a, woken } = await atPrompt({ cpus: 2 });
  const b = await startTiny(host, "b", "ip 10.0.0.2");
  await answer(b);
  // Until both are quiet.
  await host.run({ forCycles: MS });
  b.debugger.break(woken);
  a.console.send("help\n");
  assertEquals((await host.run({ forCycles: MS })).kind, "limit");
  b.console.send("help\n");
  const stop = await a.run({ forCycles: MS });
  assertEquals([stop.kind, b.cpus[0].registers.rip], ["breakpoint", woken]);
  assertEquals(b.debugger.stops.map(({ hits }) => hits), [1]);
  host.destroy(b);
  assertEquals((await host.run({ forCycles: MS })).kind, "limit");
});

Deno.test("a condition that throws ends the run with its error, and the host goes on", async () => {
  const { host, a, woken } = await atPrompt();
  const id = a.debugger.break(woken, {
    condition: () => {
      throw new Error("no such thing");
    },
  });
  a.console.send("help\n");
  await assertRejects(() => host.run({ forCycles: MS }), Error, "failed: no such thing");
  assertEquals(host.running, false);
  a.debugger.remove(id);
  await a.console.waitFor("reboot starts it again");
});

Deno.test("what a person changes in a domain is recorded, and so are runs that a stop ended", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const log = join(folder, "log");
    const { host, a, woken } = await atPrompt();
    const recording = await Host.record(host, log);
    const id = a.debugger.break(woken);
    a.console.send("he");
    const stops: StopReason[] = [];
    for (let i = 0; i < 2; i++) stops.push(await a.run({ forCycles: MS }));
    const { rsp } = a.cpus[0].registers;
    a.change.register(0, "r15", 0x1234_5678_9abcn);
    a.change.linear(0, rsp - 256n, Uint8Array.of(1, 2, 3));
    a.debugger.remove(id);
    a.console.send("lp\n");
    await host.run({ forCycles: MS });
    recording.stop();
    assertEquals(stops[0].kind, "breakpoint");
    const { host: again } = await replayHost(log);
    assertEquals(outcome(again), outcome(host));
    const [same] = again.domains;
    assertEquals(same.cpus[0].registers, a.cpus[0].registers);
    assertEquals(
      same.memory.readLinear(0, rsp - 4096n, 4096),
      a.memory.readLinear(0, rsp - 4096n, 4096),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what would break the domain's page tables, or is not its own, is not changed", async () => {
  const { host, a } = await atPrompt();
  const [top] = a.debugger.walk("rip").steps;
  assertThrows(
    () => a.change.memory(physical(top.entryAddress), new Uint8Array(8)),
    RangeError,
    "of a holds a page table or descriptors",
  );
  const b = await startTiny(host, "b", "");
  await answer(b);
  const foreign = b.debugger.walk("rsp").physical!;
  assertThrows(
    () => a.change.memory(physical(foreign), new Uint8Array(1)),
    RangeError,
    "not one of a",
  );
  assertThrows(() => a.change.register(0, "cr3", 0n), RangeError, "cr3 is none of");
  assertThrows(() => a.change.register(1, "rax", 0n), RangeError, "no virtual CPU 1; there are 1");
  assertThrows(() => a.debugger.break("vfs_read"), RangeError, "no symbols are known");
});
