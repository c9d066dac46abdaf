/**
 * The network card and the cable of modelled systems: packets are references, time is real.
 *
 * It is not a card that machine code can drive: `devices/e1000` is.
 *
 * ```ts ignore
 * const nic = new GigabitNic({ name: "eth0", clock, coalescing: TIGON_3_COALESCING, raise });
 * nic.connect(new CableDirection(cable, peer));
 * ```
 */

export { CableDirection, type CableEnd, type CableOptions, type FrameReference } from "./cable.ts";
export { type Coalescing, GigabitNic, type NicCounters, TIGON_3_COALESCING } from "./nic.ts";
