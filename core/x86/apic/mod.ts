/**
 * The local APICs of a machine and the bus that joins them. Not here: the I/O APIC and the 8259s
 * (`devices/`), which meet this folder through `MessageBus`, {@link ApicBus.onEoi} and
 * {@link ApicBus.externalController}; and the CPU, which is a {@link LocalApicPort}.
 *
 * ```ts
 * import { type Cycle, MachineClock } from "../../clock/clock.ts";
 * import { ApicBus, LocalApic, type LocalApicPort } from "./mod.ts";
 *
 * const cpu: LocalApicPort = {
 *   setInterruptPending: () => {},
 *   nmi: () => {},
 *   init: () => {},
 *   sipi: () => {},
 *   cycleOfTsc: (tsc) => tsc as Cycle,
 *   apicPageChanged: () => {},
 * };
 * const bus = new ApicBus();
 * const apic = new LocalApic({ id: 0, bsp: true, clock: new MachineClock(), cpu, network: bus });
 * bus.add(apic);
 * apic.writeMmio(0xf0, 4, 0x1ff); // SVR: enabled by software, spurious vector 0xff
 * apic.writeMmio(0x300, 4, 0x40041); // ICR: vector 0x41 to self
 * apic.acknowledge(); // 0x41
 * ```
 *
 * @module
 */

export { ApicBus, type ExternalController } from "./apic_bus.ts";
export { APIC_MSR, LocalApic, type MsrValue } from "./local_apic.ts";
export type { LocalApicOptions } from "./apic_core.ts";
export { APIC_BASE, APIC_DEFAULT_PAGE, type ApicMode } from "./apic_base.ts";
export type { ApicMember, ApicNetwork, LocalApicPort } from "./ports.ts";
export { decodeMsi, DELIVERY, type InterruptMessage } from "./messages.ts";
export { APIC_REGISTERS, type ApicRegister, ESR, LVT, REG, SVR } from "./registers.ts";
