/**
 * The two 8259A interrupt controllers of a PC, cascaded, with PIIX's edge/level control registers.
 * Not the I/O APIC: that one is in `devices/ioapic`.
 *
 * ```ts
 * import { Pic8259Pair } from "./mod.ts";
 *
 * const pic = new Pic8259Pair({ onInterrupt: (level) => level });
 * pic.writePort(0x20, 1, 0x11); // ICW1: cascade, ICW4 follows
 * pic.writePort(0x21, 1, 0x30); // ICW2: vectors 0x30 to 0x37
 * pic.writePort(0x21, 1, 0x04); // ICW3: a slave on IR2
 * pic.writePort(0x21, 1, 0x01); // ICW4: 8086 mode
 * pic.line(0).setLevel(true);
 * pic.acknowledge(); // 0x30
 * ```
 *
 * @module
 */

export { Pic8259Pair } from "./pic8259_pair.ts";
export {
  type InitializationStep,
  Pic8259Chip,
  type Pic8259ChipOptions,
  type Pic8259Registers,
} from "./pic8259_chip.ts";
