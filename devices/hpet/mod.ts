/** High precision event timers: the pure chip, and its place on a PC board. */

export { comparatorCount, Hpet, hpetCapabilities, hpetFrequencyHz, HpetRegister } from "./hpet.ts";
export { hpetBase, HpetDevice, type HpetWiring } from "./hpet_device.ts";
