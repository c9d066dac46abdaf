/** A PIIX3 IDE function on a port space with a little memory: what the tests of this folder drive. */

import { assert, assertEquals } from "@std/assert";
import { MachineClock, nanoseconds } from "../../core/clock/clock.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import type { DmaBus, MmioBus } from "../../core/memory/ports.ts";
import { STATUS } from "./ata_registers.ts";
import { type ChannelDrives, Piix3Ide } from "./piix3_ide.ts";

/** BAR 4 in these tests. */
export const BUS_MASTER_BASE = 0xc000;

/** A machine of a clock, ports and 16 MiB of memory. */
export class IdeFixture {
  readonly clock = new MachineClock(1_000_000_000);
  readonly ports = new IoSpace();
  readonly memory = new Uint8Array(16 << 20);
  /** Levels of interrupts 14 and 15, and how often each rose. */
  readonly levels = [false, false];
  readonly rises = [0, 0];
  readonly ide: Piix3Ide;

  constructor(primary: ChannelDrives, secondary: ChannelDrives = [null, null]) {
    const irq = (index: number) => ({
      setLevel: (high: boolean) => {
        if (high && !this.levels[index]) this.rises[index]++;
        this.levels[index] = high;
      },
    });
    const dma: DmaBus = {
      readDma: (address, into) => into.set(this.memory.subarray(address, address + into.length)),
      writeDma: (address, bytes) => this.memory.set(bytes, address),
    };
    const mmio: MmioBus = { attachMmio() {}, detachMmio() {} };
    this.ide = new Piix3Ide({
      clock: this.clock,
      dma,
      irqs: [irq(0), irq(1)],
      drives: [primary, secondary],
      delays: { commandNs: nanoseconds(50_000), blockNs: nanoseconds(2_000) },
    });
    this.ide.connect({ ports: this.ports, mmio, setInterrupt() {}, released() {} });
    this.ide.attachLegacy(this.ports);
    this.ide.writeConfig(0x20, 4, BUS_MASTER_BASE);
    this.ide.enable();
  }

  in(port: number, size: 1 | 2 | 4 = 1): number {
    return this.ports.read(port, size);
  }

  out(port: number, value: number, size: 1 | 2 | 4 = 1): void {
    this.ports.write(port, size, value);
  }

  /** Writes Features, Sector Count, LBA Low, Mid and High in order, then Device and Command. */
  command(base: number, registers: readonly number[], device: number, command: number): void {
    this.out(base + 6, device);
    registers.forEach((value, index) => this.out(base + 1 + index, value));
    this.out(base + 7, command);
  }

  /** Goes to the next timer and fires it; false when nothing is armed. */
  advance(): boolean {
    if (this.clock.nextDeadline === Infinity) return false;
    this.clock.advanceTo(this.clock.nextDeadline as typeof this.clock.now);
    this.clock.runDue();
    return true;
  }

  /** Lets time pass until BSY is clear; returns Alternate Status. */
  ready(base: number): number {
    while (this.in(base + 0x206) & STATUS.BSY) assert(this.advance(), "BSY and no timer armed");
    return this.in(base + 0x206);
  }

  /** Reads `count` bytes from the data port in words. */
  readData(base: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < count; at += 2) view.setUint16(at, this.in(base, 2), true);
    return bytes;
  }

  writeData(base: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 2) {
      this.out(base, bytes[at] | ((bytes[at + 1] ?? 0) << 8), 2);
    }
  }

  /** Puts a table of [address, bytes] at `table`, with the end mark on the last. */
  descriptors(table: number, regions: readonly (readonly [number, number])[]): void {
    const view = new DataView(this.memory.buffer);
    regions.forEach(([address, bytes], index) => {
      const last = index === regions.length - 1 ? 0x80000000 : 0;
      view.setUint32(table + 8 * index, address, true);
      view.setUint32(table + 8 * index + 4, ((bytes & 0xffff) | last) >>> 0, true);
    });
  }

  /** Sends a 12-byte packet (padded) with byte count limit `limit`; `features` 1 asks for DMA. */
  packet(base: number, bytes: readonly number[], limit = 2048, features = 0): number {
    this.command(base, [features, 0, 0, limit & 0xff, limit >> 8], 0xa0, 0xa0);
    assertEquals(this.ready(base) & STATUS.DRQ, STATUS.DRQ);
    const packet = new Uint8Array(12);
    packet.set(bytes);
    this.writeData(base, packet);
    return this.ready(base);
  }
}
