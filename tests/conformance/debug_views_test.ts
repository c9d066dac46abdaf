/** What the debugger shows of a CPU: page tables, descriptor tables, TLBs and callers, against what a guest has set up. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { physical } from "../../core/lib/brand.ts";
import { createMachine, type Machine, tinyGuests } from "../../mod.ts";
import { DEBUG_COMMANDS, debugCommand } from "../../testbed/debugger/commands.ts";

const guest = tinyGuests.find(({ name }) => name === "rings64")!;

/** The guest in ring 3, in 64-bit mode. */
async function inRing3(): Promise<Machine> {
  const machine = await createMachine({ kernel: guest.image(), memory: "16MiB" });
  machine.debugger.stopAt({ kind: "ring" });
  for (let i = 0; i < 20; i++) {
    await machine.run();
    if ((machine.cpus[0].registers.cs & 3n) !== 3n) continue;
    await machine.debugger.stepInto();
    return machine;
  }
  throw new Error("the guest does not come to ring 3");
}

const machine = await inRing3();
const { debugger: shown, cpus: [{ registers }], memory } = machine;

Deno.test("a walk goes by the entries that memory holds, to where the CPU reads", () => {
  const walk = shown.walk(registers.rip);
  assertEquals(walk.mode, "4-level");
  assertEquals(walk.steps[0].name, "PML4E");
  assertEquals(walk.steps[0].entryAddress, Number(registers.cr3 & ~0xfffn));
  for (const { entryAddress, entry } of walk.steps) {
    const bytes = memory.readBytes(physical(entryAddress), 8);
    assertEquals(new DataView(bytes.buffer).getBigUint64(0, true), entry);
  }
  assert(walk.steps.every(({ flags }) => flags.includes("U")));
  assert(walk.physical !== null);
  assertEquals(
    memory.readBytes(physical(walk.physical), 16),
    memory.readLinear(0, registers.rip, 16),
  );
});

Deno.test("a walk ends at the entry that is not present", () => {
  const walk = shown.walk(0x7fff_0000_0000n);
  assertEquals(walk.physical, null);
  assert(walk.failure!.endsWith("is not present"), walk.failure!);
});

Deno.test("a CPU whose LDTR is null has no LDT, whatever limit the reset left there", () => {
  assertEquals(shown.descriptorTables().ldt.entries, []);
});

Deno.test("the GDT has the segments that the CPU has loaded", () => {
  const { gdt, idt } = shown.descriptorTables();
  const of = (selector: bigint) =>
    gdt.entries.find((entry) => entry.selector === Number(selector & 0xfff8n))!;
  const { type, dpl, bits } = of(registers.cs);
  assertEquals({ type, dpl, bits }, { type: "code", dpl: 3, bits: 64 });
  assertEquals(of(registers.ss).dpl, 3);
  assertEquals(of(registers.tr).type, "busy TSS");
  assert(idt.gates.length > 0);
  assert(idt.gates.every(({ selector, present }) => (selector & 3) === 0 && present));
});

Deno.test("the TLB holds the page that is executed", () => {
  const page = registers.rip & ~0xfffn;
  const [entry] = shown.tlb().filter(({ of, virtual }) => of === "user fetch" && virtual === page);
  assertEquals(entry.physical, shown.walk(page).physical);
});

Deno.test("stops that cannot be are refused, and change nothing", () => {
  const before = shown.stops.length;
  assertThrows(() => shown.break("nobody"), RangeError, "no symbols are known");
  assertThrows(() => shown.break(0x1000n, { cpu: 7 }), RangeError, "there is no CPU 7");
  assertThrows(
    () => shown.stopAt({ kind: "trap", vector: 256 }),
    RangeError,
    "a vector from 0 to 255",
  );
  assertThrows(() => shown.watch(0n, { bytes: 0 }), RangeError, "a watched length");
  assertThrows(
    () => shown.watch(0xf_0000_0000n, { space: "physical" }),
    RangeError,
    "no RAM at physical address 0xf00000000",
  );
  assertThrows(() => shown.remove(99), RangeError, "there is no stop 99; there are: 1");
  assertEquals(shown.stops.length, before);
});

/** Commands that must be refused, and what is said. */
const REFUSED: readonly (readonly [line: string, message: string])[] = [
  ["break trap x", "expected a whole number, found x"],
  ["break if rax == 1", "expected what to stop at before if"],
  ["break 0x1000 if rax ==", "found the end"],
  ["break 0x1000 if rax == nobody", "no symbols are known, so none is named nobody"],
  ["watch 0x1000 many", "expected a whole number, found many"],
  ["delete", "expected the number of a stop, or all"],
  ["walk", "expected an address"],
];

for (const [line, message] of REFUSED) {
  Deno.test(`.${line} is refused: ${message}`, async () => {
    const [name, ...words] = line.split(" ");
    let said = "";
    try {
      await DEBUG_COMMANDS[name].run(words, machine);
    } catch (error) {
      said = (error as Error).message;
    }
    assert(said.includes(message), said);
  });
}

Deno.test("a command that is not there is told, with the closest one", () => {
  assertThrows(() => debugCommand("brak"), SyntaxError, "did you mean break?");
});
