/**
 * Bad input: each mistake gets one error that names the thing and what would be right, and other machines of the
 * process go on.
 */

import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { SnapshotError, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { tinyGuests } from "../../guests/tiny/mod.ts";
import { createMachine } from "../../testbed/machine.ts";
import type { MachineOptions } from "../../testbed/machine_api.ts";
import { differences } from "../../testbed/machine_differences.ts";
import { kernelOf } from "./small_kernel.ts";

const HELLO = tinyGuests[0].image();

function forArm(): Uint8Array {
  const image = HELLO.slice();
  new DataView(image.buffer).setUint16(18, 183, true);
  return image;
}

const MISTAKES: readonly [claim: string, options: unknown, message: RegExp][] = [
  ["an empty kernel", { kernel: new Uint8Array() }, /kernel image is empty/],
  ["noise", { kernel: new Uint8Array(3000).fill(0x5a) }, /unknown format.*expected a bzImage/],
  ["a truncated kernel", { kernel: HELLO.slice(0, -20) }, /truncated.*there are only/],
  ["another architecture", { kernel: forArm() }, /for arm64.*runs i386 and x86-64/],
  ["a missing file", { kernel: "/no/such" }, /option kernel: there is no file \/no\/such/],
  ["a misspelt image", { kernel: "debain" }, /no image of that name; did you mean debian\?/],
  ["a folder", { kernel: "/" }, /option kernel: \/ is a folder, expected a file/],
  ["a number for an image", { kernel: 5 }, /option kernel: expected .* found number/],
  ["an unknown option", { memroy: "64MiB" }, /no option memroy; did you mean memory\?/],
  ["a bad size", { memory: "lots" }, /option memory: expected a size.*found "lots"/],
  ["a size without unit", { memory: "64" }, /option memory: .*without a unit/],
  ["too little memory", { memory: "3MiB" }, /option memory: .*from 4MiB.*found 3MiB/],
  ["half a CPU", { cpus: 1.5 }, /option cpus: .*from 1 to 64, found 1.5/],
  [
    "an unknown engine",
    { engine: "warm" },
    /option engine: there is no warm.*hot, cold, reference/,
  ],
  ["an unknown CPU", { cpuModel: "pentium4" }, /option cpuModel: .*did you mean pentium3\?/],
  ["kernel and ROM", { bios: new Uint8Array(65536) }, /kernel and bios: .*one of them/],
  ["an odd ROM", { kernel: undefined, bios: new Uint8Array(1000) }, /1000 bytes, expected a mult/],
  ["initrd without kernel", { kernel: undefined, initrd: HELLO }, /option initrd: it needs/],
  ["a missing disk", { disks: ["/no/such"] }, /option disk: there is no file/],
  ["too many disks", { disks: Array(5).fill(new Uint8Array(512)) }, /room for 3 disks, found 5/],
];

for (const [claim, options, message] of MISTAKES) {
  Deno.test(`${claim}: one error says what is wrong and what would be right`, async () => {
    const all = { kernel: HELLO, memory: "16MiB", ...options as MachineOptions };
    const error = await assertRejects(() => createMachine(all), Error);
    assertMatch(error.message, message);
    assertEquals(error.message.includes("\n"), false);
  });
}

const ENDS: readonly [claim: string, source: string, kind: string, description: RegExp][] = [
  ["a triple fault", "lidt [zero]\nud2\nzero: dd 0, 0", "tripleFault", /CPU 0 shut down at 0x/],
  [
    "a jump into nothing",
    "lidt [zero]\njmp 0xe0000000\nzero: dd 0, 0",
    "tripleFault",
    /0xe0000000/,
  ],
  [
    "a run off the end of RAM",
    "lidt [zero]\njmp 0xfffff0\nzero: dd 0, 0",
    "tripleFault",
    /0x1000000/,
  ],
  ["HLT without interrupts", "cli\nhlt", "halted", /halted/],
];

for (const [claim, source, kind, description] of ENDS) {
  Deno.test(`${claim} ends the run, and the machine beside it goes on`, async () => {
    const beside = await createMachine({ kernel: HELLO, memory: "16MiB" });
    await beside.run({ forCycles: 1000 as Cycles });
    const machine = await createMachine({ kernel: kernelOf(source), memory: "16MiB" });
    const stop = await machine.run({ forCycles: 50_000_000 as Cycles });
    assertEquals(stop.kind, kind);
    assertMatch(JSON.stringify(stop), description);
    assertEquals((await beside.run()).kind, "exit");
  });
}

/** `record` with the part at `path` changed. */
function changed(record: SnapshotRecord, path: readonly string[], value: unknown): SnapshotRecord {
  const copy = { ...record } as Record<string, unknown>;
  const [name, ...rest] = path;
  copy[name] = rest.length === 0
    ? value
    : changed(copy[name] as unknown as SnapshotRecord, rest, value);
  return copy as unknown as SnapshotRecord;
}

const SNAPSHOTS: readonly [claim: string, path: readonly string[], value: unknown, RegExp][] = [
  ["of a device", ["kind"], "uart16550", /expected a snapshot of machine, found one of uart16550/],
  ["of another version", ["version"], 9, /has version 9; this build reads version 2/],
  ["with a part of another version", ["state", "trace", "version"], 7, /trace has version 7/],
  ["of less RAM", ["state", "ram"], new Uint8Array(4096), /4096 bytes of RAM; .* has 16777216/],
];

for (const [claim, path, value, message] of SNAPSHOTS) {
  Deno.test(`a snapshot ${claim} is refused and leaves the machine as it was`, async () => {
    const machine = await createMachine({ kernel: HELLO, memory: "16MiB" });
    const record = machine.snapshot();
    await machine.run({ forCycles: 2000 as Cycles });
    const before = machine.snapshot();
    const error = assertThrows(() => machine.restore(changed(record, path, value)), SnapshotError);
    assertMatch(error.message, message);
    assertEquals(differences(before, machine.snapshot()), []);
    assertEquals((await machine.run()).kind, "exit");
  });
}

Deno.test("a snapshot of more CPUs is refused", async () => {
  const two = await createMachine({ kernel: HELLO, memory: "16MiB", cpus: 2 });
  const one = await createMachine({ kernel: HELLO, memory: "16MiB" });
  const error = assertThrows(() => one.restore(two.snapshot()), SnapshotError);
  assertMatch(error.message, /snapshot of 2 CPUs; this machine has 1/);
});

Deno.test("the command line says the same on standard error, and its exit code is not zero", async () => {
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", main, "boot", "--kernel", "/no/such"],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals([code, text], [2, "xenarium: option kernel: there is no file /no/such\n"]);
});
