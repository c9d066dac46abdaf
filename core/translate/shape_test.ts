import { assert, assertEquals } from "@std/assert";
import { test } from "../lib/testing.ts";
import { Decoder } from "../x86/decode/decoder.ts";
import { decodeMode } from "../x86/decode/mode.ts";
import { ENCODINGS } from "../x86/instructions/table.ts";
import type { BoundForm } from "../x86/ir/instruction.ts";
import type { Statement } from "../x86/ir/ir.ts";
import { ModeKey, SystemFunctions } from "../x86/system/mod.ts";
import { homeOf } from "./guest_locals.ts";
import { isFlagSource } from "./pending_flags.ts";
import { shapeOf } from "./shape.ts";

const MODES = [
  ModeKey.long,
  ModeKey.code32 | ModeKey.stack32 | ModeKey.flat | ModeKey.wholeCode,
  ModeKey.code32 | ModeKey.stack32 | ModeKey.wholeCode,
];
const MAPS = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const PREFIXES = [[], [0x66], [0xf2], [0xf3], [0x48], [0xf3, 0x48], [0x64], [0x67]];

/** The forms that translated code meets: every opcode, with registers and with memory. */
function everyForm(): readonly BoundForm[] {
  const functions = new SystemFunctions();
  const decoder = new Decoder(ENCODINGS, () => true, (name) => functions.find(name));
  const bytes = new Uint8Array(32);
  for (const mode of MODES.map(decodeMode)) {
    for (const opcode of MAPS.flatMap((map) => [...Array(256).keys()].map((at) => [...map, at]))) {
      for (const prefixes of PREFIXES) {
        for (let modrm = 0; modrm < 16; modrm++) {
          bytes.fill(0);
          bytes.set([...prefixes, ...opcode, (modrm < 8 ? 0 : 0xc0) | (modrm & 7) << 3]);
          decoder.read(bytes, 0, bytes.length, mode);
        }
      }
    }
  }
  return decoder.forms;
}

const FORMS = everyForm();
const INLINED = FORMS.filter((bound) => shapeOf(bound).inlined);

/** All statements, those of branches and loops included. */
function flat(statements: readonly Statement[]): Statement[] {
  return statements.flatMap((s) => {
    if (s.kind === "if") return [s, ...flat(s.then), ...flat(s.otherwise)];
    return s.kind === "loop" ? [s, ...flat(s.body)] : [s];
  });
}

/** Mnemonics of `forms` that `holds` finds fault with. */
function offenders(
  forms: readonly BoundForm[],
  fault: (statements: readonly Statement[], bound: BoundForm) => boolean,
): string[] {
  const found = forms.filter((bound) => fault(flat(bound.program.statements), bound));
  return [...new Set(found.map(({ definition }) => definition.mnemonic))];
}

/** Every way through the statements, loops once and twice, as the statements that are passed. */
function ways(statements: readonly Statement[]): Statement[][] {
  let found: Statement[][] = [[]];
  const then = (next: Statement[][]) => {
    found = found.flatMap((way) => next.map((more) => [...way, ...more]));
    assert(found.length < 100_000, "too many ways");
  };
  for (const s of statements) {
    if (s.kind === "if") then([...ways(s.then), ...ways(s.otherwise)]);
    else if (s.kind === "loop") then(ways(s.body).flatMap((way) => [way, [...way, ...way]]));
    else then([[s]]);
  }
  return found;
}

test("on no way through an inlined program does anything that may be abandoned follow a change", () => {
  const isChange = ({ kind }: Statement) => /^(write|store|retire)$/.test(kind);
  const mayLeave = ({ kind }: Statement) => /^(load|store|raise|system)$/.test(kind);
  assertEquals(
    offenders(INLINED, (_, { program }) =>
      ways(program.statements).some((way) => {
        const first = way.findIndex(isChange);
        return first >= 0 && way.slice(first + 1).some(mayLeave);
      })),
    [],
  );
});

test("an inlined program has at most one jump, and at most one place where it repeats", () => {
  const count = (statements: readonly Statement[], kind: Statement["kind"]) =>
    statements.filter((s) => s.kind === kind).length;
  assertEquals(
    offenders(INLINED, (all) => count(all, "jump") > 1 || count(all, "repeat") > 1),
    [],
  );
});

test("flag sources are not written before a jump that would leave them pending", () => {
  assertEquals(
    offenders(INLINED, (_, { program: { statements } }) => {
      const end = statements.findIndex(({ kind }) => kind === "jump" || kind === "repeat");
      return end >= 0 &&
        statements.slice(0, end).some((s) =>
          s.kind === "write" && s.place.kind === "fixed" && isFlagSource(s.place.offset)
        );
    }),
    [],
  );
});

test("no access to the state lies astride of what a local holds, and computed places hold no locals", () => {
  assertEquals(
    offenders(INLINED, (all) =>
      all.some((s) => {
        if (s.kind !== "read" && s.kind !== "write") return false;
        if (s.place.kind === "indexed") return homeOf(s.place.base) >= 0;
        if (s.place.kind === "operand") return false;
        const { offset } = s.place;
        const home = homeOf(offset);
        // Fields with a local of their own are accessed as a whole, from their start.
        const bytes = Array.from({ length: s.width >> 3 }, (_, i) => homeOf(offset + i));
        return bytes.some((other) => other !== home && !(home === offset && other < 0));
      })),
    [],
  );
});

/** What the cold tier always executes, by why. */
const LEFT: Readonly<Record<string, readonly string[]>> = {
  "system functions": ["CPUID", "HLT", "IN", "INVLPG", "IRET", "OUT", "RDMSR", "RDTSC", "STI"],
  "descriptors": ["LGDT", "LLDT", "LTR", "MOV to segment register", "CALL far", "RET far"],
  "several stores": ["ENTER", "PUSHA", "FNSAVE", "FXSAVE"],
  "always raises": ["UD2", "INT3"],
};
const TAKEN = [
  "ADD ADC AND BSF BSWAP BT CALL CMOVZ CMP CMPXCHG DEC DIV IDIV IMUL INC JMP JZ LEA LEAVE LODS",
  "LOOP MOV MOVS MOVSX MOVZX MUL NEG NOP NOT OR PAUSE POPF PUSH PUSHF RCL RET ROL SAR SBB SCAS",
  "SETZ SHL SHLD SHR STOS SUB TEST XADD XCHG XOR ADDSD COMISS CVTSI2SD MOVAPS MOVD MULPS PADDB",
  "PSHUFB PXOR FADD FLD FMUL FXCH FCOMI",
].flatMap((line) => line.split(" "));

for (const [why, mnemonics] of Object.entries(LEFT)) {
  for (const mnemonic of mnemonics) {
    test(`${mnemonic} is left to the cold tier: ${why}`, () => {
      const forms = FORMS.filter(({ definition }) => definition.mnemonic === mnemonic);
      assert(forms.length > 0, "there is such an instruction");
      assertEquals(forms.filter((bound) => shapeOf(bound).inlined).length, 0);
    });
  }
}

test("what ordinary code is made of is inlined in every form", () => {
  assertEquals(
    offenders(FORMS, (_, bound) => !shapeOf(bound).inlined).filter((name) => TAKEN.includes(name)),
    [],
  );
  const known = new Set(FORMS.map(({ definition }) => definition.mnemonic));
  assertEquals(TAKEN.filter((name) => !known.has(name)), []);
});
