/**
 * Stops of a debugger on every engine: at the exact boundary, the same on all of them, and unseen by guest and trace.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { assemble } from "../../core/x86/assembler/mod.ts";
import {
  createMachine,
  type EngineName,
  type Machine,
  type MachineOptions,
  type StopReason,
  tinyGuests,
} from "../../mod.ts";
import { kernelOf } from "./small_kernel.ts";

const ORIGIN = 0x10_0000;
/** Counts in memory, tells each round by a port, and takes an exception at the end. */
const SOURCE = `
        mov esp, 0x9000
        lgdt [gdtr]
        lidt [idtr]
        mov ecx, 50
again:  call work
        mov edx, 0x80
        out dx, al
        dec ecx
        jnz again
        mov ecx, 0x1b
        rdmsr
        ud2
after:  mov al, 0x10
        mov dx, 0xf4
        out dx, al
work:   mov eax, [counter]
        inc eax
        mov [counter], eax
worked: ret
handler: add dword [esp], 2
        iretd
align 16
counter: dd 0
other:  dd 0
idtr:   dw 7 * 8 - 1
        dd idt
gdtr:   dw 3 * 8 - 1
        dd gdt
align 16
gdt:    dd 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9b00
idt:    dd 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        dw handler - 0x100000, 8, 0x8e00, 0x10
`;
const { labels } = assemble(SOURCE, { bits: 32, origin: ORIGIN });
const place = (label: string) => labels[label];

/** Each engine; the hot one translates at the first execution. */
const ENGINES: readonly (readonly [EngineName, MachineOptions])[] = [
  ["reference", { engine: "reference" }],
  ["cold", { engine: "cold" }],
  ["hot", { engine: "hot", translator: { hotAfter: 1 } }],
];

async function machine(options: MachineOptions): Promise<Machine> {
  return await createMachine({ kernel: kernelOf(SOURCE), memory: "4MiB", ...options });
}

/** Where a machine stands after each stop, until it ends for another reason. */
async function stopsOf(machine: Machine, most = 1000): Promise<string[]> {
  const stops: string[] = [];
  for (let i = 0; i < most; i++) {
    const stop = await machine.run();
    stops.push(`${machine.now} ${describe(stop)}`);
    if (stop.kind !== "breakpoint") break;
  }
  return stops;
}

function describe(stop: StopReason): string {
  if (stop.kind !== "breakpoint") return stop.kind;
  return `${stop.cpu} ${stop.address.toString(16)} ${stop.hits.map(({ id }) => id).join("+")}`;
}

const unstopped = await machine({});
assertEquals(await unstopped.run(), { kind: "exit", code: 0x21 });
const HASH = unstopped.trace.hash;

for (const [name, options] of ENGINES) {
  Deno.test(`${name}: a code stop is met before its instruction, once in each round`, async () => {
    const stopped = await machine(options);
    const id = stopped.debugger.break(place("worked"));
    const stops = await stopsOf(stopped);
    assertEquals(stops.length, 51);
    assertEquals(stops[0].split(" ").slice(1), ["0", place("worked").toString(16), `${id}`]);
    assertEquals(stopped.debugger.stops[0].hits, 50);
    assertEquals(stopped.trace.hash, HASH);
  });

  Deno.test(`${name}: a stop set in code that is running already is met`, async () => {
    const stopped = await machine(options);
    stopped.debugger.break(place("work"));
    for (let i = 0; i < 20; i++) await stopped.run();
    stopped.debugger.clear();
    const id = stopped.debugger.break(place("worked"));
    assertEquals(describe(await stopped.run()), `0 ${place("worked").toString(16)} ${id}`);
    stopped.debugger.remove(id);
    assertEquals((await stopped.run()).kind, "exit");
    assertEquals(stopped.trace.hash, HASH);
  });

  Deno.test(`${name}: a watched store stops behind its instruction`, async () => {
    const stopped = await machine(options);
    stopped.debugger.watch(place("counter"), { bytes: 4 });
    const stops = await stopsOf(stopped);
    assertEquals(stops.length, 51);
    assert(stops.slice(0, 50).every((stop) => stop.includes(` ${place("worked").toString(16)} `)));
    assertEquals(stopped.trace.hash, HASH);
  });

  Deno.test(`${name}: loads and stores are told apart, and neighbours are not watched`, async () => {
    const stopped = await machine(options);
    const { debugger: watcher } = stopped;
    watcher.watch(place("other"), { bytes: 4, on: "access" });
    const load = watcher.watch(place("counter"), { bytes: 1, on: "read", space: "physical" });
    const store = watcher.watch(place("counter"), { bytes: 1, space: "physical" });
    const stops = await stopsOf(stopped, 4);
    const at = (label: string, add: number) => (place(label) + BigInt(add)).toString(16);
    assertEquals(
      stops.map((stop) => stop.split(" ").slice(2)),
      [[at("work", 5), load], [at("worked", 0), store], [at("work", 5), load], [
        at("worked", 0),
        store,
      ]].map(([address, id]) => [address, `${id}`]),
    );
  });
}

Deno.test("all engines stop at the same cycles for everything there is to stop at", async () => {
  const listings: string[][] = [];
  for (const [, options] of ENGINES) {
    const stopped = await machine(options);
    const { debugger: watcher } = stopped;
    watcher.break(place("again"), { condition: ({ registers }) => registers.rcx % 7n === 0n });
    watcher.stopAt({ kind: "port", port: 0x80 }, {
      condition: ({ registers }) => registers.rax === 9n,
    });
    watcher.stopAt({ kind: "trap", vector: null });
    watcher.stopAt({ kind: "msr", msr: 0x1b });
    watcher.watch(0x8ffcn, {
      bytes: 4,
      condition: ({ registers }) => registers.rcx === 1n,
    });
    listings.push(await stopsOf(stopped));
    assertEquals(stopped.trace.hash, HASH);
  }
  assertEquals(listings[1], listings[0]);
  assertEquals(listings[2], listings[0]);
  const last = listings[0].at(-1)!;
  assert(last.endsWith("exit"), last);
  assertEquals(listings[0].length, 7 + 1 + 1 + 1 + 1 + 1);
});

Deno.test("a condition that throws ends the run with its error; the machine goes on from there", async () => {
  const stopped = await machine({});
  const id = stopped.debugger.break(place("worked"), {
    condition: () => {
      throw new Error("no such thing");
    },
  });
  await assertRejects(
    () => stopped.run(),
    Error,
    `the condition of stop ${id} (code at 0x${place("worked").toString(16)}) failed: no such thing`,
  );
  assertEquals(stopped.cpus[0].registers.rip, place("worked"));
  stopped.debugger.clear();
  assertEquals((await stopped.run()).kind, "exit");
  assertEquals(stopped.trace.hash, HASH);
});

Deno.test("steps go into calls, over them and out of them", async () => {
  const stopped = await machine({});
  const { debugger: stepper } = stopped;
  stepper.break(place("again"));
  await stopped.run();
  const at = () => stopped.cpus[0].registers.rip;
  assertEquals(await stepper.stepInto(), { kind: "limit" });
  assertEquals(at(), place("work"));
  stepper.clear();
  stepper.break(place("again"));
  await stopped.run();
  assertEquals(await stepper.stepOver(), { kind: "limit" });
  assertEquals(at(), place("again") + 5n);
  stepper.clear();
  assertEquals((await stopped.run()).kind, "exit");
  assertEquals(stopped.trace.hash, HASH);
});

/** Calls itself once, in frames that a chain of frame pointers leads through; `ecx` tells how deep it is. */
const FRAMES = `
        mov esp, 0x9000
        xor ebp, ebp
        mov ecx, 2
        call nested
back:   mov al, 0x10
        mov dx, 0xf4
        out dx, al
nested: push ebp
        mov ebp, esp
        dec ecx
        jz inner
        call nested
outer:  nop
inner:  nop
        pop ebp
        ret
`;

Deno.test("stepping out runs to the caller, from the inner one of two frames of a function, then from the outer", async () => {
  const { labels: at } = assemble(FRAMES, { bits: 32, origin: ORIGIN });
  const stopped = await createMachine({ kernel: kernelOf(FRAMES), memory: "4MiB" });
  const { debugger: stepper } = stopped;
  const inner = stepper.break(at.inner);
  await stopped.run();
  assertEquals(stepper.backTrace().map(({ address }) => address), [at.inner, at.outer, at.back]);
  stepper.remove(inner);
  for (const place of [at.outer, at.back]) {
    assertEquals(await stepper.stepOut(), { kind: "limit" });
    assertEquals(stopped.cpus[0].registers.rip, place);
  }
  assertEquals(stopped.cpus[0].registers.rsp, 0x9000n);
  await assertRejects(() => stepper.stepOut(), RangeError, "no caller is known");
  assertEquals(stepper.stops, []);
});

const smp = tinyGuests.find(({ name }) => name === "smp64")!;

Deno.test(`${smp.cpus} CPUs do not notice stops and steps`, async () => {
  const options = { kernel: smp.image(), memory: "16MiB", cpus: smp.cpus };
  const free = await createMachine(options);
  assertEquals((await free.run()).kind, "exit");
  const stopped = await createMachine(options);
  stopped.debugger.stopAt({ kind: "trap", vector: null });
  stopped.debugger.stopAt({ kind: "ring" });
  for (const vector of [0x40, 0x41, 0x42, 0x50]) stopped.debugger.stopAt({ kind: "trap", vector });
  stopped.debugger.stopAt({ kind: "control", register: 3 });
  let stops = 0;
  for (;;) {
    const stop = await stopped.run();
    if (stop.kind !== "breakpoint") break;
    stops++;
    for (let i = 0; i < 3; i++) await stopped.debugger.stepInto(stop.cpu);
    await stopped.debugger.stepInto(0);
  }
  assert(stops >= smp.cpus, `${stops} stops`);
  assertEquals([stopped.now, stopped.trace.hash], [free.now, free.trace.hash]);
});
