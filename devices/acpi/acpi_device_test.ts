import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { AcpiDevice, type AcpiWiring } from "./acpi_device.ts";

function board(wiring: Partial<AcpiWiring> = {}) {
  const clock = new MachineClock();
  const ports = new IoSpace();
  const log: string[] = [];
  let sci = false;
  const acpi = new AcpiDevice({
    clock,
    ports,
    sci: {
      setLevel(high) {
        if (high !== sci) log.push(`${high ? "SCI" : "sci"}@${clock.now}`);
        sci = high;
      },
    },
    power: { powerOff: () => log.push("off") },
    ...wiring,
  });
  const runTo = (cycle: number) => {
    while (clock.nextDeadline <= cycle) {
      clock.advanceTo(clock.nextDeadline as Cycle);
      clock.runDue();
    }
    clock.advanceTo(cycle as Cycle);
  };
  return { clock, ports, acpi, log, runTo };
}

test("PM timer counts 3579545 Hz in 24 bits, read at any width", () => {
  const { ports, runTo } = board();
  runTo(1_000_000_000);
  assertEquals(ports.read(0x608, 4), 3_579_545);
  assertEquals(ports.read(0x60a, 1), 3_579_545 >> 16);
  runTo(10_000_000_000);
  assertEquals(ports.read(0x608, 4), 35_795_450 % 2 ** 24);
});

test("PM timer has 32 bits when asked", () => {
  const { ports, runTo } = board({ pmTimer32: true });
  runTo(1_200_000_000_000);
  assertEquals(ports.read(0x608, 4), (3_579_545 * 1200) % 2 ** 32);
});

test("PM timer interrupts when its highest bit toggles", () => {
  const { ports, runTo, log, clock } = board();
  ports.write(0xb2, 1, 0xf1);
  ports.write(0x602, 2, 0x0001);
  const toggle = clock.cycleOfTick(2 ** 23, 3_579_545);
  runTo(toggle + 10);
  assertEquals(log, [`SCI@${toggle}`]);
  assertEquals(ports.read(0x600, 2), 1);
  ports.write(0x600, 2, 1);
  const next = clock.cycleOfTick(2 ** 24, 3_579_545);
  runTo(next);
  assertEquals(log, [`SCI@${toggle}`, `sci@${toggle + 10}`, `SCI@${next}`]);
});

test("SMI commands F1 and F0 switch ACPI mode on and off", () => {
  const { ports, acpi } = board();
  assertEquals(ports.read(0x604, 2), 0);
  ports.write(0xb2, 1, 0xf1);
  assertEquals([ports.read(0x604, 2), acpi.acpiMode], [1, true]);
  ports.write(0xb2, 1, 0xf0);
  assertEquals(ports.read(0x604, 2), 0);
  ports.write(0xb3, 1, 0x5a);
  assertEquals([ports.read(0xb2, 1), ports.read(0xb3, 1)], [0xf0, 0x5a]);
});

test("Power button raises the SCI in ACPI mode only", () => {
  const { ports, acpi, log } = board();
  ports.write(0x602, 2, 0x0100);
  acpi.pressPowerButton();
  assertEquals(log, []);
  ports.write(0xb2, 1, 0xf1);
  assertEquals(log, ["SCI@0"]);
  ports.write(0x600, 2, 0x0100);
  assertEquals(log, ["SCI@0", "sci@0"]);
});

test("SLP_EN with the type of S5 switches the machine off, other types wake up at once", () => {
  const { ports, log } = board();
  ports.write(0x604, 2, 0x2000 | (1 << 10));
  assertEquals([log.length, ports.read(0x600, 2)], [0, 0x8000]);
  ports.write(0x604, 2, 0x2000);
  assertEquals([log, ports.read(0x604, 2)], [["off"], 0]);
});

test("General-purpose events raise the SCI when enabled", () => {
  const { ports, acpi, log } = board();
  ports.write(0xb2, 1, 0xf1);
  ports.write(0x60e, 2, 0x0204);
  acpi.raiseGpe(1);
  assertEquals(log, []);
  acpi.raiseGpe(9);
  assertEquals([log, ports.read(0x60c, 2)], [["SCI@0"], 0x0202]);
  ports.write(0x60c, 2, 0x0200);
  assertEquals(log, ["SCI@0", "sci@0"]);
});

test("Register block moves, and stays silent where ports are taken", () => {
  const { ports, acpi } = board({ pmBase: null });
  assertEquals(ports.read(0x608, 4), 0xffffffff);
  acpi.setPmBase(0xb000, true);
  assertEquals([ports.read(0xb008, 4), acpi.pmBase], [0, 0xb000]);
  acpi.setPmBase(0x80, true); // over the SMI command port
  assertEquals([acpi.pmBase, ports.read(0xb008, 4)], [null, 0xffffffff]);
  acpi.setPmBase(0x600, true);
  assertEquals(ports.read(0x608, 4), 0);
});

test("ACPI hardware continues from a snapshot", () => {
  const first = board();
  first.ports.write(0xb2, 1, 0xf1);
  first.ports.write(0x602, 2, 0x0101);
  first.acpi.setPmBase(0xb000, true);
  first.runTo(1_000_000_000);
  const second = board();
  second.clock.restore(first.clock.save());
  second.acpi.restore(first.acpi.save());
  first.runTo(5_000_000_000);
  second.runTo(5_000_000_000);
  assertEquals(second.log, first.log);
  assertEquals(second.acpi.save(), first.acpi.save());
});
