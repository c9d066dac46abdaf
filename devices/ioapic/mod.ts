/**
 * The I/O APIC of a PC: pins in, message-signalled interrupts out. It knows no CPU: who takes the
 * messages is behind its `MessageBus` (`core/x86/apic` has one).
 *
 * ```ts
 * import { IoApic } from "./mod.ts";
 *
 * const ioapic = new IoApic({ sendMessage: (address, data) => [address, data] });
 * ioapic.writeMmio(0x00, 4, 0x10 + 2 * 2); // IOREGSEL: entry 2, low half
 * ioapic.writeMmio(0x10, 4, 0x30); // fixed, edge, active high, unmasked, vector 0x30
 * ioapic.line(2).setLevel(true); // sends 0x4030 to 0xfee00000
 * ```
 *
 * @module
 */

export { IoApic, IOAPIC_BASE, IOAPIC_PINS, type RedirectionEntry } from "./ioapic.ts";
