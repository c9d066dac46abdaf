/**
 * The display: a VGA whose text screen scripts can read, with Bochs's extension for graphics modes. Not here: drawing
 * pixels; graphics modes are memory that a viewer may interpret.
 *
 * ```ts ignore
 * const vga = new VgaCard({ clock, ports, mmio });
 * bus.plug(2, 0, vga.pciFunction(vgabios));
 * vga.screen().find((row) => row.includes("login:"));
 * vga.textScreen?.cursor; // { row: 5, column: 7, visible: true }
 * ```
 */

export { CP437 } from "./cp437.ts";
export { DISPI, Dispi, DISPI_ENABLE, type DispiMode, type DispiPorts } from "./dispi.ts";
export type { TextCursor, TextScreen } from "./text_screen.ts";
export { VgaCard, type VgaCardOptions } from "./vga_card.ts";
export { VgaChip, type VgaOptions } from "./vga_chip.ts";
export { VgaMemory } from "./vga_memory.ts";
export { VgaPalette } from "./vga_palette.ts";
export { ATTRIBUTE, CRTC, GRAPHICS, SEQUENCER, type VgaRegister } from "./vga_registers.ts";
