/** What the debug registers ask for (SDM vol. 3, "Debug Registers"). */

import type { Cpu } from "../cpu.ts";
import { offsetOf } from "../state/layout.ts";
import { Cr4 } from "../state/bits.ts";

/** Bits of DR6. */
export const Dr6 = { BD: 0x2000, BS: 0x4000, BT: 0x8000, fixed: 0xffff0ff0 } as const;
/** Bits of DR7. */
export const Dr7 = { GD: 0x2000, fixed: 0x400, writable: 0xffff23ff } as const;
/** The eight enable bits of DR7. */
export const ENABLES = 0xff;

/** Values of an R/W field of DR7. */
export const BreakOn = { execution: 0, write: 1, io: 2, access: 3 } as const;

/** Byte offsets of DR0 to DR3 in the state. */
export const ADDRESSES = [offsetOf("dr0"), offsetOf("dr1"), offsetOf("dr2"), offsetOf("dr3")];

/** Whether breakpoint `n` is enabled, locally or globally. */
export function isEnabled(dr7: number, n: number): boolean {
  return ((dr7 >>> (2 * n)) & 3) !== 0;
}

/** The R/W field of breakpoint `n`. */
export function conditionOf(dr7: number, n: number): number {
  return (dr7 >>> (16 + 4 * n)) & 3;
}

/** Bytes that breakpoint `n` covers: LEN 00, 01, 10 and 11 are 1, 2, 8 and 4. */
export function lengthOf(dr7: number, n: number): number {
  return [1, 2, 8, 4][(dr7 >>> (18 + 4 * n)) & 3];
}

/** Whether any instruction breakpoint is enabled. */
export function hasInstructionBreakpoints(cpu: Cpu): boolean {
  const { dr7 } = cpu.state;
  if ((dr7 & ENABLES) === 0) return false;
  return [0, 1, 2, 3].some((n) => isEnabled(dr7, n) && conditionOf(dr7, n) === BreakOn.execution);
}

/** Notes I/O breakpoints that an access to a port hits (CR4.DE). */
export function checkIoBreakpoints(cpu: Cpu, port: number, size: number): void {
  const { state } = cpu;
  if ((state.dr7 & ENABLES) === 0 || (state.cr4 & Cr4.DE) === 0) return;
  for (let n = 0; n < 4; n++) {
    if (!isEnabled(state.dr7, n) || conditionOf(state.dr7, n) !== BreakOn.io) continue;
    const bytes = lengthOf(state.dr7, n);
    const first = (state.low(ADDRESSES[n]) & ~(bytes - 1)) >>> 0;
    if (port + size > first && port < first + bytes) {
      state.debugPending |= 1 << n;
      cpu.ports.requestStop();
    }
  }
}
