/**
 * What is plugged into a machine: the chips of a PC, cards, drives, the network between machines, and the board
 * that joins them. Not here: CPUs and memory (`core`), what runs in the machine (`guests`).
 *
 * ```ts ignore
 * const lan = new EthernetSwitch({ name: "lan0", clock });
 * const board = new PcBoard({ clock, ports, memory, messages, onInterrupt, power, onA20, options });
 * board.keyboard.typeText("ls\n");
 * ```
 */

export * from "./acpi/mod.ts";
export * from "./board/mod.ts";
export * from "./debug_ports/mod.ts";
export * from "./disk/mod.ts";
export * from "./e1000/mod.ts";
export * from "./fw_cfg/mod.ts";
export * from "./hpet/mod.ts";
export * from "./i8042/mod.ts";
export * from "./ide/mod.ts";
export * from "./ioapic/mod.ts";
export * from "./net/mod.ts";
export * from "./pci/mod.ts";
export * from "./pic8259/mod.ts";
export * from "./pit8254/mod.ts";
export type { PowerControl } from "./power.ts";
export * from "./pv/mod.ts";
export * from "./rtc/mod.ts";
export * from "./scsi/mod.ts";
export * from "./uart16550/mod.ts";
export * from "./usernet/mod.ts";
export * from "./vga/mod.ts";
export type { Stepper, StepResult, WorkDone, WorkKind } from "./work.ts";
export * from "./xenstore/mod.ts";
