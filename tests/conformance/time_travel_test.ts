/** Going back in time is exact: whatever a machine does again, it does as before. */

import { kernelOf } from "./small_kernel.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Cycle, Cycles } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import { parseIpv4, parseMac, ScriptedHost } from "../../devices/net/mod.ts";
import { createMachine, type Machine, type MachineOptions, tinyGuests } from "../../mod.ts";
import { echoGuest, SUM_ADDRESS } from "./echo_guest.ts";

const smp64 = tinyGuests.find(({ name }) => name === "smp64")!;
const hello32 = tinyGuests.find(({ name }) => name === "hello32")!;
const ENGINES = ["reference", "cold", "hot"] as const;

/** What a run leaves behind that anybody can see. */
function outcome(machine: Machine) {
  const { now, trace: { hash }, console: { text } } = machine;
  return { now, hash, text, rip: machine.cpus.map(({ registers }) => registers.rip) };
}

async function echoMachine(options: MachineOptions = {}): Promise<Machine> {
  return await createMachine({ kernel: echoGuest(), memory: "8MiB", ...options });
}

/** Time for a character at 115,200 baud, and for its echo. */
const CHARACTER = 200_003 as Cycles;

/** Types `text`, a character every so many cycles, and waits for the last echo. */
async function type(machine: Machine, text: string): Promise<void> {
  for (const character of text) {
    machine.console.send(character);
    await machine.run({ forCycles: CHARACTER });
  }
}

for (const engine of ENGINES) {
  Deno.test(`${engine}: each cycle is the same when it is sought as when it came first`, async () => {
    const machine = await createMachine({ kernel: hello32.image(), memory: "8MiB", engine });
    const first = new Map<number, ReturnType<typeof outcome>>();
    for (let cycle = 0; cycle <= 1_000_000; cycle += 77_777) {
      if (cycle % 3 === 0) machine.checkpoint();
      await machine.run({ untilCycle: cycle as Cycle });
      first.set(cycle, outcome(machine));
    }
    for (const cycle of [933_324, 0, 77_777, 700_000 - 7, 933_324, 155_554, 544_439] as Cycle[]) {
      await machine.seek(cycle);
      const expected = first.get(cycle);
      if (expected) assertEquals(outcome(machine), expected);
    }
  });

  Deno.test(`${engine}: reverse steps pass the instants at which steps forward stop`, async () => {
    const machine = await createMachine({ kernel: hello32.image(), memory: "8MiB", engine });
    machine.checkpoint();
    for (const cycle of [2_000, 500_000] as Cycle[]) {
      await machine.seek(cycle);
      const back = [];
      for (let i = 0; i < 5; i++) {
        await machine.reverseStep();
        back.unshift(outcome(machine));
      }
      assert(back[0].now < back[4].now);
      for (const expected of back) {
        await machine.seek(expected.now);
        assertEquals(outcome(machine), expected);
      }
    }
  });
}

Deno.test("a step back from a wait goes to where the wait began, however long it was", async () => {
  const machine = await createMachine({ kernel: hello32.image(), memory: "8MiB" });
  machine.checkpoint();
  await machine.run({ untilText: "hello through" });
  await machine.run({ forCycles: 400_000 as Cycles });
  const positions: [halted: boolean, cycle: number][] = [];
  for (let i = 0; i < 3; i++) {
    await machine.reverseStep();
    positions.push([machine.cpus[0].halted, machine.now]);
  }
  const [[, begun]] = positions;
  assertEquals(positions, [[true, begun], [false, begun - 1], [false, begun - 2]]);
});

Deno.test("inputs come again at their cycles, also after a reset", async () => {
  const machine = await echoMachine();
  machine.checkpoint();
  await type(machine, "abc");
  await type(machine, "r");
  await machine.run({ forCycles: 3_000_000 as Cycles });
  await type(machine, "xyz");
  const end = outcome(machine);
  assertEquals(end.text, "abcxyz");
  await machine.seek(2 * CHARACTER as number as Cycle);
  assertEquals(machine.console.text, "ab");
  await machine.seek(end.now);
  assertEquals(outcome(machine), end);
});

Deno.test("another input in the past begins another future", async () => {
  const machine = await echoMachine();
  machine.checkpoint();
  await type(machine, "abcdef");
  machine.checkpoint();
  const { now } = machine;
  await machine.seek(3 * CHARACTER - 9 as number as Cycle);
  machine.console.send("X");
  await machine.seek(now);
  assertEquals(machine.console.text, "abcX");
  assertEquals(machine.checkpoints.map(({ cycle }) => cycle as number), [0]);
  const fresh = await echoMachine();
  await type(fresh, "ab");
  fresh.console.send("c");
  await fresh.run({ untilCycle: 3 * CHARACTER - 9 as number as Cycle });
  fresh.console.send("X");
  await fresh.run({ untilCycle: now });
  assertEquals(outcome(machine), outcome(fresh));
});

for (const cpus of [1, 3]) {
  Deno.test(`${cpus} CPU(s): inputs at any cycle are exact, from whatever stop they come`, async () => {
    const kernel = smp64.image();
    const machine = await createMachine({ kernel, memory: "16MiB", cpus, checkpoints: "64MiB" });
    for (const [i, cycle] of [5_003, 20_011, 33_333, 60_000, 2_000_001, 9_999_999].entries()) {
      await machine.run({ untilCycle: cycle as Cycle });
      machine.console.send(`${i}`);
      machine.pressKeys("a");
    }
    await machine.run({ untilText: "\n" });
    machine.console.send("x");
    await machine.run({ forCycles: 3_000_000 as Cycles });
    const end = outcome(machine);
    for (const cycle of [0, 20_011, 50_000, 5_000_000] as Cycle[]) {
      await machine.seek(cycle);
      await machine.seek(end.now);
      assertEquals(outcome(machine), end, `by way of cycle ${cycle}`);
    }
  });
}

Deno.test("what a callback sends is an input, too, and comes again without it", async () => {
  const machine = await echoMachine();
  machine.checkpoint();
  const stop = machine.console.onOutput((bytes) => {
    if (bytes[0] < 0x66) machine.console.send(Uint8Array.of(bytes[0] + 1));
  });
  machine.console.send("a");
  for (let i = 0; i < 10; i++) await machine.run({ forCycles: CHARACTER });
  stop();
  const end = outcome(machine);
  assertEquals(end.text, "abcdef");
  await machine.seek(0 as Cycle);
  await machine.seek(end.now);
  assertEquals(outcome(machine), end);
});

Deno.test("nobody is told what happens again", async () => {
  const machine = await echoMachine();
  machine.checkpoint();
  let printed = "";
  const told = { events: 0, news: 0 };
  machine.console.onOutput((bytes) => printed += new TextDecoder().decode(bytes));
  machine.trace.onEvent(() => told.events++);
  machine.debugger.onCpuNews(() => told.news++);
  const profile = machine.profile({ everyCycles: 1_000 });
  await type(machine, "abc");
  const { now } = machine;
  const first = { ...told, samples: profile.samples };
  assert(first.events > 0 && first.news > 0 && first.samples > 0);
  await machine.seek(0 as Cycle);
  await machine.seek(now);
  await machine.reverseStep();
  await machine.reverseContinue();
  await machine.seek(now);
  assertEquals({ ...told, samples: profile.samples }, first);
  assertEquals([printed, machine.console.text], ["abc", "abc"]);
  const sum = machine.memory.readBytes(physical(SUM_ADDRESS), 2);
  assertEquals(sum[0] + 256 * sum[1], 0x61 + 0x62 + 0x63);
  await machine.run({ forCycles: 10_000 as Cycles });
  assert(told.events > first.events);
});

Deno.test("taps hear nothing again, and what a script answered to a frame comes again without it", async () => {
  const machine = await createMachine({ kernel: echoGuest(), memory: "8MiB", net: "lan0" });
  const { lan, host } = machine.network!;
  const other = new ScriptedHost({
    clock: machine.clock,
    port: lan.attach("other"),
    mac: parseMac("52:55:0a:00:02:09"),
    address: parseIpv4("10.0.2.9"),
  });
  machine.checkpoint();
  const heard = { tapped: 0, frames: 0 };
  lan.ports[0].tap = () => heard.tapped++;
  other.onFrame = () => {
    // Three frames in all, each sent because of the one before.
    if (++heard.frames < 3) host.sendFrame(new Uint8Array(64).fill(0xff));
  };
  host.sendFrame(new Uint8Array(64).fill(0xff));
  await machine.run({ forCycles: CHARACTER });
  const end = outcome(machine);
  const first = { ...heard };
  assertEquals(first, { tapped: 3, frames: 3 });
  await machine.seek(0 as Cycle);
  await machine.seek(end.now);
  await machine.reverseStep();
  await machine.reverseContinue();
  await machine.seek(end.now);
  assertEquals([heard, outcome(machine)], [first, end]);
  host.sendFrame(new Uint8Array(64).fill(0xff));
  await machine.run({ forCycles: CHARACTER });
  assertEquals(heard, { tapped: 4, frames: 4 });
});

Deno.test("a stop counts how often it stopped the machine, not how often it was passed on the way back", async () => {
  const machine = await echoMachine();
  machine.checkpoint();
  machine.debugger.watch(BigInt(SUM_ADDRESS), { space: "physical", bytes: 4 });
  machine.console.send("abcd");
  for (let i = 0; i < 4; i++) await machine.run();
  const hits = () => machine.debugger.stops[0].hits;
  assertEquals(hits(), 4);
  await machine.reverseContinue();
  await machine.reverseContinue();
  assertEquals(hits(), 6);
  await machine.seek(0 as Cycle);
  assertEquals(hits(), 6);
});

Deno.test("a machine without a checkpoint, or with none as old, says so and stays as it was", async () => {
  const machine = await echoMachine();
  await machine.run({ untilCycle: 1_000 as Cycle });
  const here = outcome(machine);
  await assertRejects(() => machine.seek(500 as Cycle), RangeError, "no checkpoint to go back to");
  machine.checkpoint();
  await assertRejects(() => machine.seek(500 as Cycle), RangeError, "is of cycle 1000");
  await assertRejects(() => machine.reverseStep(), RangeError, "is of cycle 1000");
  assertEquals(outcome(machine), here);
});

for (const engine of ENGINES) {
  Deno.test(`${engine}: going back over breakpoints meets them in reverse, at the same cycles`, async () => {
    const machine = await echoMachine({ engine });
    machine.checkpoint();
    const stop = machine.debugger.watch(BigInt(SUM_ADDRESS), { space: "physical", bytes: 4 });
    machine.console.send("abcd");
    const forth: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      if (i === 2) machine.checkpoint();
      forth.push([(await machine.run()).kind, outcome(machine)]);
    }
    assertEquals(forth.map((each) => (each as [string])[0]), new Array(4).fill("breakpoint"));
    await machine.run({ forCycles: 50_000 as Cycles });
    const back: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      back.unshift([(await machine.reverseContinue()).kind, outcome(machine)]);
    }
    assertEquals(back, forth);
    // At the oldest checkpoint there is nothing before, either.
    for (let i = 0; i < 2; i++) {
      assertEquals(await machine.reverseContinue(), { kind: "limit" });
      assertEquals(machine.now as number, 0);
    }
    machine.debugger.remove(stop);
  });
}

Deno.test("seeking and stepping back pass over breakpoints", async () => {
  const machine = await echoMachine();
  machine.checkpoint();
  await type(machine, "abc");
  const end = outcome(machine);
  machine.debugger.stopAt({ kind: "port", port: 0x3f8 });
  await machine.seek(1_000 as Cycle);
  await machine.seek(end.now);
  assertEquals(outcome(machine), end);
  await machine.reverseStep(10);
  assertEquals(machine.now as number, end.now - 10);
});

Deno.test("the last write to a place is found, with who did it, and the machine stays in the present", async () => {
  const machine = await echoMachine();
  machine.checkpoint();
  await type(machine, "ab");
  machine.checkpoint();
  await type(machine, "c");
  machine.checkpoint();
  await machine.run({ forCycles: 500_000 as Cycles });
  machine.debugger.stopAt({ kind: "port", port: 0x3fd });
  const here = outcome(machine);
  const found = (await machine.lastWrite(physical(SUM_ADDRESS), 2))!;
  assertEquals(outcome(machine), here);
  assertEquals([...found.before, ...found.after], [0xc3, 0, 0x26, 1]);
  assert(found.cycle > 2 * CHARACTER && found.cycle < 3 * CHARACTER);
  const [line] = await machine.disassemble(found.address, 1);
  assertEquals(line.text, "mov [0x200000], ebx");
  assertEquals(machine.checkpoints.length, 3);
  assertEquals(await machine.lastWrite(physical(0x30_0000), 4), null);
  await assertRejects(
    () => machine.lastWrite(physical(8 << 20)),
    RangeError,
    "no RAM of 1 to 4096",
  );
});

Deno.test("inputs that come while an instruction of many cycles goes on all wait for its end", async () => {
  const source = `
        mov esp, 0x9000
again:  pause
        mov dx, 0x3fd
        in al, dx
        test al, 1
        jz again
        mov dx, 0x3f8
        in al, dx
        inc dword [0x200000]
        jmp again`;
  const machine = await createMachine({ kernel: kernelOf(source), memory: "4MiB" });
  const heard = () => machine.memory.readBytes(physical(SUM_ADDRESS), 1)[0];
  for (let cycle = 1_000; cycle < 1_150; cycle += 30) {
    await machine.run({ untilCycle: cycle as Cycle });
    machine.console.send("a");
    machine.console.send("b");
  }
  await machine.run({ forCycles: 20_000_000 as Cycles });
  assertEquals(heard(), 10);
});

/** Where each CPU of a machine stands, by itself and with the others. */
function standing(machine: Machine) {
  return { ...outcome(machine), cpus: machine.cpus.map(({ registers }) => registers) };
}

/** A machine of three CPUs, with stops at what each of them does in turn. */
async function stoppedThree(): Promise<Machine> {
  const machine = await createMachine({ kernel: smp64.image(), memory: "16MiB", cpus: 3 });
  machine.checkpoint();
  for (const vector of [0x40, 0x41, 0x42, 0x50]) machine.debugger.stopAt({ kind: "trap", vector });
  machine.debugger.stopAt({ kind: "control", register: 3 });
  machine.debugger.stopAt({ kind: "msr", msr: null });
  return machine;
}

Deno.test("one of several CPUs goes back by its own instructions, to where its steps forward stopped", async () => {
  const machine = await stoppedThree();
  // The second CPU runs its first instructions here, in a turn that the first one has ended.
  for (let i = 0; i < 4; i++) await machine.run();
  const stop = await machine.run();
  assert(stop.kind === "breakpoint" && stop.cpu === 1);
  machine.debugger.clear();
  for (const cpu of [1, 0]) {
    await machine.step(2, cpu);
    const forth = [];
    for (let i = 0; i < 3; i++) {
      forth.push(standing(machine));
      await machine.step(1, cpu);
    }
    for (const expected of forth.reverse()) {
      await machine.reverseStep(1, cpu);
      assertEquals(standing(machine), expected, `cpu${cpu}`);
    }
  }
  await assertRejects(() => machine.reverseStep(1, 3), RangeError, "has no CPU 3");
});

Deno.test("stops of several CPUs within one turn are met in reverse, one after the other", async () => {
  const machine = await stoppedThree();
  const forth = [];
  for (let stop = await machine.run(); stop.kind === "breakpoint"; stop = await machine.run()) {
    forth.push({ cpu: stop.cpu, ...standing(machine) });
  }
  assertEquals(new Set(forth.map(({ cpu }) => cpu)), new Set([0, 1, 2]));
  for (const expected of forth.reverse()) {
    const stop = await machine.reverseContinue();
    assert(stop.kind === "breakpoint");
    assertEquals({ cpu: stop.cpu, ...standing(machine) }, expected);
  }
  assertEquals(await machine.reverseContinue(), { kind: "limit" });
});

Deno.test("of several CPUs the one that stored last is named, with its instruction", async () => {
  const machine = await stoppedThree();
  machine.debugger.clear();
  await machine.run();
  const { registers } = machine.cpus[2];
  const here = standing(machine);
  const stack = physical(Number(registers.rsp) - 8);
  const found = (await machine.lastWrite(stack, 8))!;
  assertEquals(standing(machine), here);
  assertEquals([found.cpu, found.after], [2, machine.memory.readBytes(stack, 8)]);
  const [line] = await machine.disassemble(found.address, 1, 2);
  assert(/^(push|call|int|mov|ud)/.test(line.text), line.text);
});
