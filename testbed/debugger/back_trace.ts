/**
 * Who called whom, from the stack of one CPU.
 *
 * Kernels with frame pointers are followed along their chain. Others (Debian's amd64) keep tables of their own for this;
 * without them the stack is searched for return addresses: words that point behind a CALL. One whose call leads to the
 * function below is certain, any other may be left from before and is marked so, as Linux itself does in its reports.
 */

import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { callersByFramePointer, codeAddress } from "../../core/x86/sampling.ts";
import { ModeKey } from "../../core/x86/system/mod.ts";
import type { Symbols } from "./symbols.ts";

/** One line of a back-trace. */
export interface StackFrame {
  /** The next instruction of the function, or where its callee returns to. */
  readonly address: bigint;
  /** `function+0x12`, or `null` without a name. */
  readonly name: string | null;
  /** Whether the frame may be left from before: nothing proves that its function still runs. */
  readonly uncertain: boolean;
  /** Linear address of the word that holds the return address; `null` for the innermost frame. */
  readonly at: bigint | null;
}

/** Reads guest memory at a linear address; shorter where nothing is mapped. */
export type ReadLinear = (address: bigint, lengthBytes: number) => Uint8Array;

/** How much of a stack is searched: kernels have 16 KiB. */
const SEARCHED_BYTES = 16 * 1024;
const MAX_FRAMES = 64;

/** The frames of a CPU, innermost first. */
export function backTrace(
  cpu: CpuLook,
  symbols: Symbols,
  framePointers: boolean,
  read: ReadLinear,
): StackFrame[] {
  const address = codeAddress(cpu);
  const innermost = { address, name: symbols.nameAt(address), uncertain: false, at: null };
  if (framePointers) {
    const callers = callersByFramePointer(cpu).map((caller) => ({
      address: caller,
      // A return point may lie behind its function's end, if that is a call which never returns.
      name: symbols.nameAt(caller - 1n),
      uncertain: false,
      at: null,
    }));
    return [innermost, ...callers];
  }
  return [innermost, ...searchedFrames(cpu, address, symbols, read)];
}

function searchedFrames(
  { state }: CpuLook,
  address: bigint,
  symbols: Symbols,
  read: ReadLinear,
): StackFrame[] {
  const isLong = (state.modeKey & ModeKey.long) !== 0;
  const width = isLong ? 8 : 4;
  const base = isLong ? BigInt.asUintN(64, state.rsp) : BigInt.asUintN(32, state.rsp);
  const bytes = read(base, SEARCHED_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: StackFrame[] = [];
  let callee = symbols.functionAt(address)?.address ?? null;
  for (let i = 0; i + width <= bytes.length && frames.length < MAX_FRAMES; i += width) {
    const word = isLong ? view.getBigUint64(i, true) : BigInt(view.getUint32(i, true));
    const caller = symbols.functionAt(word - 1n);
    const target = caller === null ? null : calledBefore(word, read, isLong);
    if (caller === null || target === null) continue;
    const isCertain = target !== "computed" && target === callee;
    frames.push({
      address: word,
      name: symbols.nameAt(word - 1n),
      uncertain: !isCertain,
      at: base + BigInt(i),
    });
    if (isCertain || target === "computed") callee = caller.address;
  }
  return frames;
}

/** The target of the CALL that ends at `point`: its address, `computed`, or `null` if none ends there. */
function calledBefore(
  point: bigint,
  read: ReadLinear,
  isLong: boolean,
): bigint | "computed" | null {
  const before = read(point - 7n, 7);
  if (before.length < 7) return null;
  const view = new DataView(before.buffer, before.byteOffset, 7);
  if (before[2] === 0xe8) {
    const target = point + BigInt(view.getInt32(3, true));
    return BigInt.asUintN(isLong ? 64 : 32, target);
  }
  // FF /2 with the lengths that its operand may have.
  const isIndirect = [2, 3, 4, 6, 7].some((length) =>
    before[7 - length] === 0xff && ((before[8 - length] >> 3) & 7) === 2
  );
  return isIndirect ? "computed" : null;
}

/** A back-trace, one frame to a line; `?` marks those that may be left from before. */
export function describeBackTrace(frames: readonly StackFrame[]): string {
  return frames.map(({ address, name, uncertain }, i) => {
    const place = `0x${BigInt.asUintN(64, address).toString(16)}`;
    return `#${i}${uncertain ? " ?" : ""} ${place} ${name ?? "(no name)"}`;
  }).join("\n");
}
