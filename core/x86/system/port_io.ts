/** IN and OUT, and the I/O permission bitmap (SDM vol. 1, "I/O Permission Bit Map"). */

import type { Cpu } from "../cpu.ts";
import type { PortSize } from "../../memory/ports.ts";
import { Eflags, Exception } from "../state/bits.ts";
import { checkIoBreakpoints } from "./debug_conditions.ts";
import { argument, readLinear, setResult } from "./memory_access.ts";
import { Segment, SEGMENT_FIELDS, segmentBase } from "./segment_fields.ts";

const TR = SEGMENT_FIELDS[Segment.tr];
/** Byte offset of the I/O map base in a 32- or 64-bit TSS. */
const IO_MAP_BASE = 102;

/** Raises #GP(0) unless the program may use `size` bytes of ports from `port`. */
function requirePorts(cpu: Cpu, port: number, size: number): void {
  const { state } = cpu;
  if ((state.cr0 & 1) === 0) return;
  const virtual = (state.flags & Eflags.VM) !== 0;
  if (!virtual && state.cpl <= ((state.flags >>> 12) & 3)) return;
  const { u32 } = state;
  const limit = u32[TR.limit];
  const is16 = (u32[TR.attributes] & 8) === 0;
  if (is16 || IO_MAP_BASE + 1 > limit) cpu.raise(Exception.GP, 0);
  const view = cpu.mmu.systemView;
  const base = segmentBase(state, Segment.tr);
  const at = readLinear(cpu, base + IO_MAP_BASE, 2, view) + (port >>> 3);
  // Two bytes are read always: an access may span a byte of the map.
  if (at + 1 > limit) cpu.raise(Exception.GP, 0);
  const bits = readLinear(cpu, base + at, 2, view) >>> (port & 7);
  if ((bits & ((1 << size) - 1)) !== 0) cpu.raise(Exception.GP, 0);
}

/** The check alone, for INS and OUTS: arguments are port and size in bytes. */
export function checkIo(cpu: Cpu): void {
  requirePorts(cpu, argument(cpu, 0) & 0xffff, argument(cpu, 1));
}

/** IN: arguments are port and size in bytes; the result is the value. */
export function readPort(cpu: Cpu): void {
  const port = argument(cpu, 0) & 0xffff;
  const size = argument(cpu, 1) as PortSize;
  requirePorts(cpu, port, size);
  checkIoBreakpoints(cpu, port, size);
  setResult(cpu, cpu.ports.io.read(port, size));
}

/** OUT: arguments are port, size in bytes and value. */
export function writePort(cpu: Cpu): void {
  const port = argument(cpu, 0) & 0xffff;
  const size = argument(cpu, 1) as PortSize;
  requirePorts(cpu, port, size);
  checkIoBreakpoints(cpu, port, size);
  cpu.ports.io.write(port, size, argument(cpu, 2));
}
