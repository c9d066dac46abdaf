import { assertEquals, assertThrows } from "@std/assert";
import { SnapshotError } from "../../core/lib/snapshot.ts";
import { test } from "../../core/lib/testing.ts";
import { type IrqInputs, IrqWiring } from "./irq_wiring.ts";

/** Inputs that write down their changes, as `pic4+` or `ioapic2-`. */
function bench() {
  const log: string[] = [];
  const inputs = (name: string): IrqInputs => ({
    line: (input) => ({ setLevel: (high) => log.push(`${name}${input}${high ? "+" : "-"}`) }),
  });
  return { log, wires: new IrqWiring(inputs("pic"), inputs("ioapic")) };
}

for (const irq of [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
  test(`IRQ ${irq} reaches the 8259s and the I/O APIC`, () => {
    const { log, wires } = bench();
    const line = wires.driver(irq, "device");
    for (const high of [true, true, false, false]) line.setLevel(high);
    const pin = irq === 0 ? 2 : irq;
    assertEquals(log, [`pic${irq}+`, `ioapic${pin}+`, `pic${irq}-`, `ioapic${pin}-`]);
  });
}

test("IRQ 20 reaches the I/O APIC alone", () => {
  const { log, wires } = bench();
  const line = wires.driver(20, "device");
  line.setLevel(true);
  line.setLevel(false);
  assertEquals(log, ["ioapic20+", "ioapic20-"]);
});

test("A shared line is high while any of its drivers is", () => {
  const { log, wires } = bench();
  const [a, b] = [wires.driver(9, "a"), wires.driver(9, "b")];
  const other = wires.driver(10, "a");
  const steps: [act: () => void, changes: string[]][] = [
    [() => a.setLevel(true), ["pic9+", "ioapic9+"]],
    [() => b.setLevel(true), []],
    [() => a.setLevel(false), []],
    [() => other.setLevel(true), ["pic10+", "ioapic10+"]],
    [() => b.setLevel(false), ["pic9-", "ioapic9-"]],
  ];
  for (const [act, changes] of steps) {
    act();
    assertEquals(log.splice(0), changes);
  }
});

test("A restored driver can let go of the line that it held when it was saved", () => {
  const before = bench();
  before.wires.driver(11, "a").setLevel(true);
  before.wires.driver(11, "b").setLevel(true);
  const saved = before.wires.save();
  const { log, wires } = bench();
  const [a, b] = [wires.driver(11, "a"), wires.driver(11, "b")];
  wires.restore(saved);
  assertEquals([log, wires.save()], [[], saved]);
  a.setLevel(false);
  assertEquals(log, []);
  b.setLevel(false);
  assertEquals(log, ["pic11-", "ioapic11-"]);
});

test("Wiring that makes no sense is refused with what was expected", () => {
  const { wires } = bench();
  for (const irq of [-1, 2, 24, 1.5]) {
    assertThrows(() => wires.driver(irq, "a"), RangeError, `0, 1 or 3 to 23, found ${irq}`);
  }
  wires.driver(3, "a");
  assertThrows(() => wires.driver(3, "a"), RangeError, "a drives IRQ 3 already");
  const other = bench().wires;
  other.driver(3, "b").setLevel(true);
  assertThrows(() => wires.restore(other.save()), SnapshotError, "has b on IRQ 3");
});
