/**
 * The board: all chips of an i440FX/PIIX PC, wired. Not here: the chips themselves, CPUs, firmware images.
 *
 * ```ts ignore
 * const board = new PcBoard({ clock, ports, memory, messages: apicBus, onInterrupt, onNmi, power, onA20, options });
 * apicBus.onEoi = (vector) => board.ioapic.eoi(vector);
 * apicBus.externalController = board.pic;
 * board.prepareDirectBoot(); // or: board.placeBios(seabios)
 * ```
 */

export { BiosRom } from "./bios_rom.ts";
export type { BoardChoices, BoardOptions, BoardWiring, NicChoice } from "./board_options.ts";
export type { DirectBoot } from "./direct_boot.ts";
export { type IrqDriver, type IrqInputs, IrqWiring } from "./irq_wiring.ts";
export type { DeviceRow } from "./listing.ts";
export { PcBoard } from "./pc_board.ts";
