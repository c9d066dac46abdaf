import { assertEquals } from "@std/assert";
import { MachineClock } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import type { MmioDevice } from "../../core/memory/ports.ts";
import { E1000Pci } from "./e1000_pci.ts";
import { MAC } from "./e1000_fixture_test.ts";
import { REGISTER } from "./registers.ts";

function plugged() {
  const ports = new IoSpace();
  const mapped = new Map<number, MmioDevice>();
  const levels: boolean[] = [];
  const card = new E1000Pci({
    name: "e1000.0",
    clock: new MachineClock(),
    dma: { readDma() {}, writeDma() {} },
    mac: MAC,
  });
  card.connect({
    ports,
    mmio: {
      attachMmio: (base, _size, _name, device) => mapped.set(base, device),
      detachMmio: (base) => mapped.delete(base),
    },
    setInterrupt: (high) => levels.push(high),
    released() {},
  });
  return { card, ports, mapped, levels };
}

test("the card is 8086:100E, class Ethernet, INTA#", () => {
  const { card } = plugged();
  assertEquals(card.readConfig(0x00, 4), 0x100e8086);
  assertEquals(card.readConfig(0x08, 4) >>> 8, 0x020000);
  assertEquals(card.readConfig(0x3c, 2), 0x0100);
});

test("BAR 0 maps 128 KiB of registers, BAR 2 the I/O window, and INTA# follows the causes", () => {
  const { card, ports, mapped, levels } = plugged();
  card.writeConfig(0x10, 4, 0xffffffff);
  assertEquals(card.readConfig(0x10, 4), 0xfffe0000);
  card.writeConfig(0x10, 4, 0xfebc0000);
  card.writeConfig(0x18, 4, 0xc000);
  card.writeConfig(0x04, 2, 0x07);
  assertEquals(mapped.get(0xfebc0000)!.readMmio(REGISTER.STATUS, 4), 0x283);
  ports.write(0xc000, 4, REGISTER.IMS);
  ports.write(0xc004, 4, 0x04);
  levels.length = 0;
  card.nic.linkUp = false;
  assertEquals(levels, [true]);
  assertEquals(mapped.get(0xfebc0000)!.readMmio(REGISTER.ICR, 4), 0x04);
  assertEquals(levels, [true, false]);
});

test("a snapshot keeps configuration and chip", () => {
  const one = plugged();
  one.card.writeConfig(0x18, 4, 0xc000);
  one.card.writeConfig(0x04, 2, 0x05);
  one.ports.write(0xc000, 4, REGISTER.IMS);
  one.ports.write(0xc004, 4, 0x9d);
  const two = plugged();
  two.card.restore(one.card.save());
  assertEquals(two.ports.read(0xc004, 4), 0x9d);
  assertEquals(two.card.save(), one.card.save());
});
