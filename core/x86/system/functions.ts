/**
 * The system functions by name: what instruction definitions call with `o.system(name, …)`.
 *
 * Arguments lie in the state's `argument0` to `argument3`, the result in `result`. On entry `rip` is the
 * instruction's offset and `nextRip` that of the one that follows, which a function that transfers
 * control replaces.
 */

import { invariant } from "../../lib/assert.ts";
import { type Cpu, GUEST_FAULT } from "../cpu.ts";
import * as control from "./control_registers.ts";
import { cpuid } from "./cpuid.ts";
import * as debug from "./debug_registers.ts";
import * as tables from "./descriptor_tables.ts";
import * as fast from "./fast_calls.ts";
import * as far from "./far_transfer.ts";
import * as flags from "./flag_instructions.ts";
import * as blocks from "./string_blocks.ts";
import * as floating from "./floating_state.ts";
import { interruptReturn } from "./interrupt_return.ts";
import * as msr from "./msr.ts";
import * as io from "./port_io.ts";
import { loadFarSegment, loadSegmentWithShadow } from "./segment_loads.ts";
import * as queries from "./segment_queries.ts";
import { SSE_FUNCTIONS } from "./sse.ts";
import * as time from "./time_stamp.ts";
import { X87_FUNCTIONS } from "./x87_functions.ts";

/** One system function. */
export interface SystemFunction {
  readonly name: string;
  readonly run: (cpu: Cpu) => void;
  /** It may change control flow, mode, paging, interrupt state or the memory map. */
  readonly endsBlock: boolean;
  /** The owner of ring 0 is asked before it takes effect. */
  readonly sensitive: boolean;
}

type Run = (cpu: Cpu) => void;

/** Ends a block, and is sensitive. */
function ending(run: Run, sensitive = true): Omit<SystemFunction, "name"> {
  return { run, endsBlock: true, sensitive };
}

/** Does not end a block. */
function plain(run: Run, sensitive = true): Omit<SystemFunction, "name"> {
  return { run, endsBlock: false, sensitive };
}

/** Name, and what the arguments are. `segment` is a number of segment_fields.ts; sizes are in bits. */
const TABLE = {
  // Segments: (segment, selector).
  loadSegment: ending(loadSegmentWithShadow, false),
  loadFarSegment: ending(loadFarSegment, false),
  // (selector); results are selectors.
  lldt: ending(tables.loadLdt),
  ltr: ending(tables.loadTaskRegister),
  sldt: plain(tables.storeLdt),
  str: plain(tables.storeTaskRegister),
  // (segment, offset, operand size).
  lgdt: ending(tables.loadGdtRegister),
  lidt: ending(tables.loadIdtRegister),
  sgdt: plain(tables.storeGdtRegister),
  sidt: plain(tables.storeIdtRegister),
  // (selector), the result is rights or limit; ZF is set.
  lar: plain(queries.loadAccessRights, false),
  lsl: plain(queries.loadSegmentLimit, false),
  verr: plain(queries.verifyReadable, false),
  verw: plain(queries.verifyWritable, false),
  // (destination selector, source selector), the result is the new destination.
  arpl: plain(queries.adjustRequestedLevel, false),

  // Far transfers: (selector, offset, operand size).
  jumpFar: ending(far.jumpFar),
  callFar: ending(far.callFar),
  // (operand size, bytes to release).
  returnFar: ending(far.returnFar),
  // (operand size).
  iret: ending(interruptReturn),
  // (vector).
  int: ending(flags.interrupt),
  int3: ending(flags.breakpoint),
  into: ending(flags.overflow),
  int1: ending(flags.debugInterrupt),

  // Fast calls; the returns take (operand size).
  syscall: ending(fast.systemCall),
  sysret: ending(fast.systemReturn),
  sysenter: ending(fast.systemEnter),
  sysexit: ending(fast.systemExit),
  swapgs: ending(fast.swapGs),

  // (number), (number, value).
  readCr: plain(control.readControlRegister),
  writeCr: ending(control.writeControlRegister),
  readDr: plain(debug.readDebugRegister),
  writeDr: ending(debug.writeDebugRegister),
  // (value); the result of smsw.
  lmsw: ending(control.loadMachineStatus),
  smsw: plain(control.storeMachineStatus),
  clts: ending(control.clearTaskSwitched),
  // (linear address).
  invlpg: ending(control.invalidatePage),
  invd: ending(control.invalidateCaches),
  wbinvd: ending(control.invalidateCaches),
  xsetbv: ending(control.setExtendedControl),
  xgetbv: plain(control.getExtendedControl),

  // Operands in registers.
  rdmsr: plain(msr.readMsr),
  wrmsr: ending(msr.writeMsr),
  rdtsc: plain(time.readTimeStamp),
  rdtscp: plain(time.readTimeStampAndProcessor),
  rdpmc: plain(time.readPerformanceCounter),
  cpuid: plain(cpuid),

  // Flags: the result of pushf is what to push; popf takes (value, operand size).
  cli: ending(flags.clearInterrupts),
  sti: ending(flags.setInterrupts),
  pushf: plain(flags.flagsToPush),
  popf: ending(flags.popFlags),
  clac: ending(flags.clearAlignmentCheck),
  stac: ending(flags.setAlignmentCheck),
  hlt: ending(flags.halt),
  // (segment, offset).
  monitor: plain(flags.monitor),
  mwait: ending(flags.monitorWait),
  // Before SGDT, SIDT, SLDT, SMSW and STR, for CR4.UMIP.
  checkUmip: plain(flags.checkUserInstruction, false),

  // (port, bytes), (port, bytes, value).
  checkIo: plain(io.checkIo),
  in: plain(io.readPort),
  out: ending(io.writePort),

  // (source or item, destination, bytes an item, most items): how many were done, 0 if none can be.
  moveBlock: plain(blocks.moveBlock, false),
  fillBlock: plain(blocks.fillBlock, false),

  // Floating-point areas: (segment, offset, operand size).
  fxsave: plain(floating.saveLegacyArea, false),
  fxrstor: plain(floating.loadLegacyArea, false),
  xsave: plain(floating.saveExtendedArea, false),
  xrstor: plain(floating.loadExtendedArea, false),
  fnstenv: plain(floating.storeX87Environment, false),
  fldenv: plain(floating.loadX87Environment, false),
  fnsave: plain(floating.saveX87, false),
  frstor: plain(floating.restoreX87, false),
  fninit: plain(floating.initializeX87, false),
  ...X87_FUNCTIONS,
  ...SSE_FUNCTIONS,
} as const satisfies Record<string, Omit<SystemFunction, "name">>;

/** The name of a system function. */
export type SystemFunctionName = keyof typeof TABLE;

/** Every system function; its index is its id. */
export const SYSTEM_FUNCTIONS: readonly SystemFunction[] = Object.entries(TABLE)
  .map(([name, entry]) => ({ name, ...entry }));

/** The system functions as engines see them. */
export class SystemFunctions {
  readonly #ids = new Map(SYSTEM_FUNCTIONS.map(({ name }, id) => [name, id]));

  /** The function called `name`, or `undefined`: the catalogue that definitions are built with. */
  find(name: string): SystemFunction | undefined {
    const id = this.#ids.get(name);
    return id === undefined ? undefined : SYSTEM_FUNCTIONS[id];
  }

  /** The id of the function called `name`. */
  idOf(name: string): number {
    const id = this.#ids.get(name);
    invariant(id !== undefined, `no system function is named ${name}`);
    return id;
  }

  /** Calls function `id`; false with an exception pending in the state. */
  call(cpu: Cpu, id: number): boolean {
    const entry = SYSTEM_FUNCTIONS[id];
    try {
      const intercepted = entry.sensitive && cpu.owner !== null &&
        cpu.owner.intercept?.(cpu, entry.name) === true;
      if (!intercepted) entry.run(cpu);
      if (cpu.debugger !== null) cpu.debugger.system(cpu, entry.name);
      return true;
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
      return false;
    }
  }
}
