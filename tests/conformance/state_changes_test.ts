/** What a person changes in a stopped machine: it counts from the present cycle on, and comes again with the past. */

import { assertEquals, assertThrows } from "@std/assert";
import { assemble } from "../../core/x86/assembler/mod.ts";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import { createMachine, type Machine } from "../../mod.ts";
import { kernelOf } from "./small_kernel.ts";

const SOURCE = `
        mov esp, 0x9000
        mov ecx, 1000
again:  inc dword [counter]
        dec ecx
        jnz again
        mov al, 0x10
        out 0xf4, al
align 16
counter: dd 0
`;
const { labels: { again, counter } } = assemble(SOURCE, { bits: 32, origin: 0x10_0000 });

async function machine(): Promise<Machine> {
  return await createMachine({ kernel: kernelOf(SOURCE), memory: "4MiB" });
}

const counted = (of: Machine) =>
  new DataView(of.memory.readBytes(physical(Number(counter)), 4).buffer).getUint32(0, true);

/** Stops at the loop's head for the third time, gives it 5 rounds more, and 100 to begin with. */
async function changed(): Promise<Machine> {
  const it = await machine();
  it.checkpoint();
  const stop = it.debugger.break(again);
  for (let i = 0; i < 3; i++) assertEquals((await it.run()).kind, "breakpoint");
  it.debugger.remove(stop);
  it.change.register(0, "rcx", 5n);
  it.change.linear(0, counter, Uint8Array.of(100, 0, 0, 0));
  assertEquals([it.cpus[0].registers.rcx, counted(it)], [5n, 100]);
  return it;
}

Deno.test("registers and memory that are changed count from then on", async () => {
  const it = await changed();
  assertEquals((await it.run()).kind, "exit");
  assertEquals(counted(it), 105);
});

Deno.test("who goes back and forth again meets the changes at the same cycle, with the same hash", async () => {
  const it = await changed();
  await it.run({ forCycles: 10 as Cycles });
  const [now, hash] = [it.now, it.trace.hash];
  const here = [it.cpus[0].registers.rcx, counted(it)];
  await it.seek(0 as Cycle);
  assertEquals(counted(it), 0);
  await it.seek(now);
  assertEquals([it.cpus[0].registers.rcx, counted(it), it.trace.hash], [...here, hash]);
});

Deno.test("RIP can be set, flags too, and what is not there is refused", async () => {
  const it = await changed();
  it.change.register(0, "rip", again + 6n);
  it.change.register(0, "rflags", 0x8d7n);
  assertEquals(it.cpus[0].registers.rflags & 0xfffn, 0x8d7n);
  await it.step();
  assertEquals([it.cpus[0].registers.rcx, counted(it)], [4n, 100]);
  assertThrows(() => it.change.register(0, "cr3", 0n), RangeError, "cr3 is none of: rax");
  assertThrows(() => it.change.register(1, "rax", 0n), RangeError, "there is no CPU 1");
  assertThrows(() => it.change.memory(physical(64 << 20), new Uint8Array(1)), RangeError, "no RAM");
  assertThrows(() => it.change.linear(0, 1n << 31n, new Uint8Array(4)), RangeError, "is mapped at");
});
