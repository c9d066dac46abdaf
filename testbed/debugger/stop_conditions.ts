/** What a machine can be told to stop at, as plain data, and how it reads as text. */

import { unreachable } from "../../core/lib/assert.ts";
import type { CpuView } from "../machine_api.ts";

/** What to stop at. Addresses are linear unless `space` says otherwise. */
export type StopCondition =
  /** Before the instruction at an address, or at the address of a symbol, is executed. */
  | { readonly kind: "code"; readonly address: bigint }
  /** After an instruction accessed any of `bytes` bytes; stores of devices are seen at physical addresses. */
  | {
    readonly kind: "watch";
    readonly address: bigint;
    readonly bytes: number;
    readonly on: "write" | "read" | "access";
    readonly space: "linear" | "physical";
  }
  /** At the handler of an interrupt, exception or INT: of one vector, or of any exception (0 to 31). */
  | { readonly kind: "trap"; readonly vector: number | null }
  /** After a port was read or written. */
  | { readonly kind: "port"; readonly port: number }
  /** After RDMSR or WRMSR of one register, or of any. */
  | { readonly kind: "msr"; readonly msr: number | null }
  /** After a MOV to a control register, with CLTS and LMSW for CR0. */
  | { readonly kind: "control"; readonly register: number }
  /** After an entry on the way to a page changed in more than its A and D bits, in the tables that CR3 names now. */
  | { readonly kind: "pageTable"; readonly address: bigint }
  /** After the privilege level changed. */
  | { readonly kind: "ring" };

/** Restrictions of a stop. */
export interface StopOptions {
  /** Stops only on this CPU; default: on any. */
  readonly cpu?: number;
  /**
   * Stops only if this returns true, asked with the machine stopped there. It must not change anything. What it throws
   * ends the run, which rejects with it; the machine stays where the condition was asked.
   */
  readonly condition?: (cpu: CpuView) => boolean;
}

/** A stop that has been set. */
export interface StopPoint {
  readonly id: number;
  readonly condition: StopCondition;
  readonly options: StopOptions;
  /** How often it stopped the machine. */
  readonly hits: number;
}

/** What was met at a boundary. */
export interface StopHit {
  readonly id: number;
  readonly condition: StopCondition;
}

/** A condition in a few words. */
export function describeCondition(condition: StopCondition): string {
  switch (condition.kind) {
    case "code":
      return `code at ${hex(condition.address)}`;
    case "watch": {
      const { on, bytes, space, address } = condition;
      return `${on} of ${bytes} bytes at ${space === "physical" ? "phys:" : ""}${hex(address)}`;
    }
    case "trap":
      return condition.vector === null ? "any exception" : `vector ${condition.vector}`;
    case "port":
      return `port ${hex(condition.port)}`;
    case "msr":
      return condition.msr === null ? "any MSR" : `MSR ${hex(condition.msr)}`;
    case "control":
      return `CR${condition.register}`;
    case "pageTable":
      return `page table entries of ${hex(condition.address)}`;
    case "ring":
      return "change of ring";
    default:
      return unreachable(condition, "stop condition");
  }
}

/** Throws `RangeError` if a condition names what cannot be. */
export function checkCondition(condition: StopCondition): void {
  const within = (name: string, value: number, last: number) => {
    if (Number.isInteger(value) && value >= 0 && value <= last) return;
    throw new RangeError(`expected ${name} from 0 to ${last}, found ${value}`);
  };
  switch (condition.kind) {
    case "watch":
      return within("a watched length less one", condition.bytes - 1, MAX_WATCHED_BYTES - 1);
    case "trap":
      return within("a vector", condition.vector ?? 0, 255);
    case "port":
      return within("a port", condition.port, 0xffff);
    case "msr":
      return within("an MSR", condition.msr ?? 0, 0xffff_ffff);
    case "control":
      return within("a control register", condition.register, 8);
    case "code":
    case "pageTable":
    case "ring":
      return;
    default:
      return unreachable(condition, "stop condition");
  }
}

/** The longest stretch of one watchpoint. */
export const MAX_WATCHED_BYTES = 4096;

function hex(value: bigint | number): string {
  return `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
}
