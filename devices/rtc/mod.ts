/** MC146818A real-time clock with CMOS memory: the pure chip, its place on a PC board, the set-up bytes. */

export { type DateTime, parseDateTime } from "./calendar.ts";
export {
  type BootDevice,
  cmosBytesOf,
  type CmosSetup,
  type DiskGeometry,
  type FloppyType,
} from "./cmos_setup.ts";
export { Mc146818, RegisterA, RegisterB, RegisterC, RtcRegister } from "./mc146818.ts";
export { defaultDate, RtcDevice, type RtcOptions } from "./rtc_device.ts";
