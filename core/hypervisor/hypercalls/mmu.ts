/** Page tables: `mmu_update`, `update_va_mapping`, `mmuext_op`. Source: Xen 4.17's `xen.h`. */

import { ERRNO } from "../../abi/errno.ts";
import { DOMID } from "../../abi/ids.ts";
import { MMU, mmu_update, MMUEXT, mmuext_op, UVMF } from "../../abi/xen.ts";
import type { DataModel, Fields, StructLayout } from "../../abi/struct_layout.ts";
import { loadRoot } from "../pv/cpu_context.ts";
import { loadLdtRegister } from "../pv/ldt.ts";
import {
  type Caller,
  type Hypercall,
  type HypercallArguments,
  type HypercallResult,
  PREEMPT_AFTER,
} from "./caller.ts";

/** Bit of the count: the call goes on where it was interrupted (`MMU_UPDATE_PREEMPTED`). */
const PREEMPTED = 0x8000_0000;
const TWO_32 = 0x1_0000_0000;
const FRAME_SHIFT = 12;
const FRAMES_PER_4_GIB = 0x10_0000;

/** Carries out one entry of a batch; the words are its structure. */
type BatchEntry = (caller: Caller, words: Int32Array) => number;

/**
 * Works through a batch of structures: arguments are its address, its count, the address of a counter of those that
 * were done, and the domain meant. It stops at the first error.
 */
function runBatch(
  caller: Caller,
  args: HypercallArguments,
  layout: StructLayout<Fields>,
  entry: BatchEntry,
): HypercallResult {
  const domain = args.u32(3) & 0x7fff;
  const tableOwner = args.u32(3) >>> 16;
  if (tableOwner !== 0 || (domain !== DOMID.SELF && domain !== caller.domain.id)) {
    return caller.hypervisor.domains.has(domain as typeof DOMID.SELF) ? ERRNO.EPERM : ERRNO.ESRCH;
  }
  const doneAt = args.number(2);
  const entryBytes = layout.sizeBytes(caller.domain.model);
  let done = 0;
  let count = args.u32(1);
  if ((count & PREEMPTED) !== 0) {
    count = (count & ~PREEMPTED) >>> 0;
    const words = new Int32Array(1);
    if (doneAt !== 0 && caller.guest.readWords(doneAt, words, 1)) done = words[0] >>> 0;
  }
  const words = new Int32Array(entryBytes >>> 2);
  let result: number = 0;
  let at = args.number(0);
  let i = 0;
  for (; i < count; i++, at += entryBytes) {
    if (i === PREEMPT_AFTER) break;
    if (!caller.guest.readWords(at, words, words.length)) result = ERRNO.EFAULT;
    else result = entry(caller, words);
    if (result !== 0) break;
  }
  if (doneAt !== 0) caller.guest.writeWords(doneAt, Int32Array.of(done + i), 1);
  if (result !== 0 || i === count) return result;
  args.set(0, at);
  args.set(1, (count - i) + PREEMPTED);
  return "again";
}

function oneUpdate({ hypervisor, domain }: Caller, words: Int32Array): number {
  const [pointerLow, pointerHigh, low, high] = words;
  const frame = (pointerHigh >>> 0) * FRAMES_PER_4_GIB +
    (pointerLow >>> FRAME_SHIFT);
  const offset = pointerLow & 0xff8;
  const command = pointerLow & 3;
  switch (command) {
    case MMU.NORMAL_PT_UPDATE:
    case MMU.PT_UPDATE_PRESERVE_AD:
    case MMU.PT_UPDATE_NO_TRANSLATE: {
      const preserve = command === MMU.PT_UPDATE_PRESERVE_AD;
      return hypervisor.tables.updateEntry(domain, frame, offset, low, high, preserve);
    }
    default:
      return hypervisor.tables.notePfn(domain, frame, low, high);
  }
}

/** `mmu_update`. */
export const mmuUpdate: Hypercall = (caller, args) => runBatch(caller, args, mmu_update, oneUpdate);

/** `update_va_mapping`: address, entry, flags. */
export const updateVaMapping: Hypercall = ({ hypervisor, vcpu, domain, cpu }, args) => {
  const address = args.number(0);
  const result = hypervisor.tables.updateMapping(vcpu, address, args.low(1), args.high(1));
  const flags = args.u32(2);
  const kind = flags & UVMF.FLUSHTYPE_MASK;
  // Without a mask of virtual CPUs, only the caller's own translations are meant.
  const others = (flags & UVMF.ALL) !== 0 || args.number(2) > UVMF.ALL + UVMF.FLUSHTYPE_MASK ||
    args.number(2) < 0;
  if (kind === UVMF.TLB_FLUSH) {
    if (others) hypervisor.flushDomain(domain);
    else cpu.mmu.flushEverything();
  } else if (kind === UVMF.INVLPG) {
    if (others) hypervisor.flushDomainPage(domain, args.low(0), args.high(0));
    else cpu.mmu.flushPage(args.low(0), args.high(0));
  }
  return result;
};

/** Levels of the pin commands. */
const PIN_LEVELS: ReadonlyMap<number, 1 | 2 | 3 | 4> = new Map([
  [MMUEXT.PIN_L1_TABLE, 1],
  [MMUEXT.PIN_L2_TABLE, 2],
  [MMUEXT.PIN_L3_TABLE, 3],
  [MMUEXT.PIN_L4_TABLE, 4],
]);

/** Command and halves of the two arguments of an `mmuext_op`. */
function operationWords(model: DataModel, words: Int32Array): readonly number[] {
  return model === "lp64"
    ? [words[0], words[2], words[3], words[4], words[5]]
    : [words[0], words[1], 0, words[2], 0];
}

function oneOperation(caller: Caller, words: Int32Array): number {
  const { hypervisor, domain, vcpu, cpu } = caller;
  const [command, argLow, argHigh, secondLow, secondHigh] = operationWords(domain.model, words);
  const frame = (argHigh >>> 0) * TWO_32 + (argLow >>> 0);
  const { tables } = hypervisor;
  const level = PIN_LEVELS.get(command);
  if (level !== undefined) return tables.pin(domain, level, frame);
  switch (command) {
    case MMUEXT.UNPIN_TABLE:
      return tables.unpin(domain, frame);
    case MMUEXT.NEW_BASEPTR: {
      hypervisor.bill(domain.id, "addressSpaceSwitch");
      const failed = tables.setRoot(vcpu, frame);
      if (failed === 0) loadRoot(cpu, tables.baseOf(vcpu, vcpu.root!), false);
      return failed;
    }
    case MMUEXT.NEW_USER_BASEPTR:
      return tables.setUserRoot(vcpu, frame);
    case MMUEXT.TLB_FLUSH_LOCAL:
      cpu.mmu.flushEverything();
      return 0;
    case MMUEXT.INVLPG_LOCAL:
      cpu.mmu.flushPage(argLow, argHigh);
      return 0;
    case MMUEXT.TLB_FLUSH_MULTI:
    case MMUEXT.TLB_FLUSH_ALL:
      hypervisor.flushDomain(domain);
      return 0;
    case MMUEXT.INVLPG_MULTI:
    case MMUEXT.INVLPG_ALL:
      hypervisor.flushDomainPage(domain, argLow, argHigh);
      return 0;
    case MMUEXT.FLUSH_CACHE:
    case MMUEXT.FLUSH_CACHE_GLOBAL:
      // There is no cache; a domain without devices may not ask.
      return ERRNO.EACCES;
    case MMUEXT.SET_LDT: {
      const address = argHigh * TWO_32 + (argLow >>> 0);
      const failed = tables.setLdt(vcpu, address, secondLow >>> 0);
      if (failed === 0) loadLdtRegister(cpu, vcpu, hypervisor.map);
      return failed;
    }
    case MMUEXT.CLEAR_PAGE:
      return tables.fillPage(domain, frame, null);
    case MMUEXT.COPY_PAGE:
      return tables.fillPage(domain, frame, (secondHigh >>> 0) * TWO_32 + (secondLow >>> 0));
    case MMUEXT.MARK_SUPER:
    case MMUEXT.UNMARK_SUPER:
      return ERRNO.EOPNOTSUPP;
    default:
      return ERRNO.ENOSYS;
  }
}

/** `mmuext_op`. */
export const mmuextOp: Hypercall = (caller, args) =>
  runBatch(caller, args, mmuext_op, oneOperation);
