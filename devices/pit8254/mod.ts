/** Intel 8254 timer: the pure chip, and its place on a PC board with the speaker port. */

export { Counter, type CounterMode } from "./counter.ts";
export { Pit8254 } from "./pit8254.ts";
export { PitDevice, pitFrequencyHz, type PitWiring } from "./pit_device.ts";
