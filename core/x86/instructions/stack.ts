/** PUSH, POP, frames and EFLAGS on the stack (SDM vol. 2, the entries of each mnemonic). */

import type { Builder, Operand } from "../ir/builder.ts";
import type { Bool, I64, Width } from "../ir/ir.ts";
import type { GeneralRegister } from "../state/layout.ts";
import { Eflags, Exception } from "../state/bits.ts";
import type { Definition, InstructionGroup } from "./definition.ts";
import { readEflags, writeStatusFlags } from "./flags.ts";
import { readSelector } from "./moves.ts";

/** The width of the stack pointer. */
export function stackWidth(o: Builder): Width {
  return o.form.stackWidth as Width;
}

/** An offset in the stack segment: `pointer + bytes`, wrapped to the stack's width. */
export function stackOffset(o: Builder, pointer: I64, bytes: number): I64 {
  return o.zext(o.add(pointer, o.const(bytes)), stackWidth(o));
}

/** The stack pointer. */
export function stackPointer(o: Builder): I64 {
  return o.register("rsp", stackWidth(o));
}

export function setStackPointer(o: Builder, pointer: I64): void {
  o.setRegister("rsp", stackWidth(o), pointer);
}

/** Pushes operand-size bits of `value`; everything that can fault has happened before. */
export function push(o: Builder, value: I64): void {
  const pointer = stackOffset(o, stackPointer(o), -o.width / 8);
  o.store("ss", pointer, o.width, value, true);
  setStackPointer(o, pointer);
}

/** The operand-size item on top of the stack, which stays there. */
export function top(o: Builder): I64 {
  return o.load("ss", stackPointer(o), o.width, true);
}

/** Takes one item, and `extra` bytes, off the stack. */
export function drop(o: Builder, extra: I64 | null = null): void {
  const pointer = stackOffset(o, stackPointer(o), o.width / 8);
  setStackPointer(o, extra ? o.zext(o.add(pointer, extra), stackWidth(o)) : pointer);
}

const PUSHES: readonly Definition[] = [
  {
    mnemonic: "PUSH",
    encodings: ["50+r: Zv o64", "FF /6: Ev o64", "68: Iz o64", "6A: Ibs o64"],
    depends: ["stack"],
    run(o, source) {
      push(o, o.read(source));
    },
  },
  {
    mnemonic: "PUSH segment register",
    encodings: [
      "06: 0 not64",
      "0E: 1 not64",
      "16: 2 not64",
      "1E: 3 not64",
      "0F A0: 4 o64",
      "0F A8: 5 o64",
    ],
    depends: ["stack"],
    run(o, segment) {
      // Some CPUs write only 16 bits of the item; both are allowed.
      push(o, readSelector(o, segment));
    },
  },
  {
    mnemonic: "POP",
    encodings: ["58+r: Zv o64"],
    depends: ["stack"],
    run(o, destination) {
      const value = top(o);
      drop(o);
      o.write(destination, value);
    },
  },
  {
    mnemonic: "POP",
    encodings: ["8F /0: Ev o64"],
    depends: ["stack"],
    run: popAny,
  },
  {
    mnemonic: "POP segment register",
    encodings: ["07: 0 not64", "17: 2 not64", "1F: 3 not64", "0F A1: 4 o64", "0F A9: 5 o64"],
    depends: ["stack"],
    run(o, segment) {
      o.system("loadSegment", o.read(segment), top(o));
      drop(o);
    },
  },
];

/** POP to memory computes its address with the stack pointer after the pop. */
function popAny(o: Builder, destination: Operand): void {
  const value = top(o);
  if (!o.isMemory(destination)) {
    drop(o);
    o.write(destination, value);
    return;
  }
  const before = stackPointer(o);
  drop(o);
  const address = o.address(destination);
  setStackPointer(o, before);
  o.store("operand", address, o.width, value);
  drop(o);
}

const ALL_REGISTERS: readonly GeneralRegister[] = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
];

const ALL: readonly Definition[] = [
  {
    mnemonic: "PUSHA",
    encodings: ["60: - not64"],
    depends: ["stack"],
    run(o) {
      const pointer = stackPointer(o);
      const bytes = o.width / 8;
      ALL_REGISTERS.forEach((name, i) => {
        const offset = stackOffset(o, pointer, -bytes * (i + 1));
        o.store("ss", offset, o.width, o.register(name, o.width), true);
      });
      setStackPointer(o, stackOffset(o, pointer, -bytes * 8));
    },
  },
  {
    mnemonic: "POPA",
    encodings: ["61: - not64"],
    depends: ["stack"],
    run(o) {
      const pointer = stackPointer(o);
      const bytes = o.width / 8;
      const values = ALL_REGISTERS.toReversed().map((name, i) =>
        // The image of the stack pointer is skipped.
        name === "rsp" ? null : o.load("ss", stackOffset(o, pointer, bytes * i), o.width, true)
      );
      ALL_REGISTERS.toReversed().forEach((name, i) => {
        const value = values[i];
        if (value) o.setRegister(name, o.width, value);
      });
      setStackPointer(o, stackOffset(o, pointer, bytes * 8));
    },
  },
];

/** Whether the CPU is in virtual-8086 mode, where IOPL below 3 makes flag instructions fault. */
function inVirtual8086(o: Builder): Bool {
  return o.isNonzero(o.and(o.field("flags"), o.const(Eflags.VM)));
}

/** Whether CPL <= IOPL. */
export function mayChangeInterrupts(o: Builder): Bool {
  const iopl = o.and(o.shr(o.field("flags"), o.const(12)), o.const(3));
  return o.leU(o.field("cpl"), iopl);
}

/** Flags that POPF changes at any privilege level, besides the status flags. AC is left to the system. */
const POPPED_ALWAYS = Eflags.TF | Eflags.DF | Eflags.NT;

const FLAGS: readonly Definition[] = [
  {
    mnemonic: "PUSHF",
    encodings: ["9C: - o64"],
    depends: ["stack"],
    run(o) {
      if (o.form.stackWidth !== 64) {
        const denied = o.bothOf(inVirtual8086(o), o.isNot(mayChangeInterrupts(o)));
        o.if(denied, () => o.raise(Exception.GP, 0));
      }
      push(o, o.and(readEflags(o), o.const(~(Eflags.RF | Eflags.VM))));
    },
  },
  {
    mnemonic: "POPF",
    encodings: ["9D: - o64"],
    depends: ["stack"],
    run(o) {
      const value = top(o);
      const flags = o.field("flags");
      const risen = o.and(value, o.not(flags));
      const different = o.xor(value, flags);
      const access = o.width === 16 ? o.const(0) : o.and(different, o.const(Eflags.AC));
      const special = o.or(
        o.or(o.and(risen, o.const(Eflags.IF)), access),
        o.or(o.and(value, o.const(Eflags.TF)), o.and(flags, o.const(Eflags.VM))),
      );
      o.if(
        o.isNonzero(special),
        () => o.system("popf", value, o.const(o.width)),
        () => {
          const always = o.const(POPPED_ALWAYS | (o.width === 16 ? 0 : Eflags.ID));
          const none = o.const(0);
          const interrupts = o.select(mayChangeInterrupts(o), o.const(Eflags.IF), none);
          const level = o.select(o.isZero(o.field("cpl")), o.const(Eflags.IOPL), none);
          const mask = o.or(always, o.or(interrupts, level));
          o.setField("flags", o.or(o.and(flags, o.not(mask)), o.and(value, mask)));
          writeStatusFlags(o, value);
        },
      );
      drop(o);
    },
  },
];

/** ENTER's nesting levels are taken modulo 32. */
const MAX_LEVEL = 31;

const FRAMES: readonly Definition[] = [
  {
    mnemonic: "ENTER",
    encodings: ["C8: Iw,Ib o64"],
    depends: ["stack"],
    run(o, size) {
      const bytes = o.width / 8;
      const level = o.and(o.immediate2(), o.const(MAX_LEVEL));
      const frame = stackOffset(o, stackPointer(o), -bytes);
      o.store("ss", frame, o.width, o.register("rbp", o.width), true);
      const pointer = o.variable(frame);
      const pushItem = (value: I64) => {
        const offset = stackOffset(o, o.get(pointer), -bytes);
        o.store("ss", offset, o.width, value, true);
        o.set(pointer, offset);
      };
      const link = o.variable(o.register("rbp", stackWidth(o)));
      const left = o.variable(level);
      o.if(o.isNonzero(level), () => {
        o.if(o.ne(level, o.const(1)), () =>
          o.loop(() => {
            const outer = stackOffset(o, o.get(link), -bytes);
            o.set(link, outer);
            pushItem(o.load("ss", outer, o.width, true));
            o.set(left, o.sub(o.get(left), o.const(1)));
            return o.ltU(o.const(1), o.get(left));
          }));
        pushItem(frame);
      });
      const final = o.zext(o.sub(o.get(pointer), o.read(size)), stackWidth(o));
      // A write at the new stack pointer must be possible.
      o.loadForWrite("ss", final, o.width, true);
      o.setRegister("rbp", stackWidth(o), frame);
      setStackPointer(o, final);
    },
  },
  {
    mnemonic: "LEAVE",
    encodings: ["C9: - o64"],
    depends: ["stack"],
    run(o) {
      const frame = o.register("rbp", stackWidth(o));
      const value = o.load("ss", frame, o.width, true);
      setStackPointer(o, stackOffset(o, frame, o.width / 8));
      o.setRegister("rbp", o.width, value);
    },
  },
];

/** Stack instructions. */
export const STACK: InstructionGroup = {
  name: "stack",
  definitions: [...PUSHES, ...ALL, ...FLAGS, ...FRAMES],
};
