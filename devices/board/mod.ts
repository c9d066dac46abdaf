/**
 * The board: all chips of an i440FX/PIIX PC, wired. Not here: the chips themselves, CPUs, firmware images.
 *
 * ```ts ignore
 * const board = new PcBoard({ clock, ports, memory, messages: apicBus, onInterrupt, power, onA20, options });
 * board.prepareDirectBoot(); // or: board.placeBios(seabios)
 * ```
 */

export { BiosRom } from "./bios_rom.ts";
export { IrqWiring } from "./irq_wiring.ts";
export {
  type BoardChoices,
  type BoardWiring,
  type DirectBoot,
  type NicChoice,
  PcBoard,
} from "./pc_board.ts";
