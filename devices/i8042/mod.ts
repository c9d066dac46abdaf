/**
 * The 8042: keyboard controller with PS/2 keyboard and mouse, A20 gate and reset. Not here:
 * port 61h, which belongs to the timer, and port 92h (`devices/debug_ports`).
 *
 * ```ts ignore
 * const gate = new A20Gate((open) => cpu.setA20(open));
 * const keyboard = new KeyboardController({
 *   ports, clock, irq1: isaIrq(1), irq12: isaIrq(12), gate, reset: () => machine.reset(),
 * });
 * keyboard.typeText("ls\n");
 * ```
 */

export { A20Gate, type A20Source } from "./a20_gate.ts";
export { I8042, type I8042Ports } from "./i8042.ts";
export { KeyboardController, type KeyboardControllerOptions } from "./keyboard_controller.ts";
export type { Ps2Device } from "./ps2_device.ts";
export { type KeyboardLeds, Ps2Keyboard } from "./ps2_keyboard.ts";
export { type MouseButtons, Ps2Mouse } from "./ps2_mouse.ts";
export { KEY_NAMES, type KeyName, keyStroke, scanCode, translateToSet1 } from "./scan_codes.ts";
export { Typist } from "./typist.ts";
