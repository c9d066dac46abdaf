/** The registers by the names that assembly gives them. */

/** What a register can be an operand of. */
export type RegisterClass = "general" | "segment" | "control" | "debug" | "xmm" | "mmx" | "x87";

/** A register operand. */
export interface Register {
  readonly name: string;
  readonly class: RegisterClass;
  /** As ModRM and REX encode it; AH, CH, DH, BH are 4 to 7. */
  readonly number: number;
  readonly widthBits: number;
  /** SPL, BPL, SIL, DIL exist with a REX prefix only, AH, CH, DH, BH without one only. */
  readonly rex: "any" | "needed" | "forbidden";
}

const LEGACY = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];

/** Every register by its name in lower case. */
export const REGISTERS: ReadonlyMap<string, Register> = new Map(
  [
    ...LEGACY.flatMap((name, number) => [
      general(name, number, 16),
      general(`e${name}`, number, 32),
      general(`r${name}`, number, 64),
    ]),
    ...["al", "cl", "dl", "bl"].map((name, number) => general(name, number, 8)),
    ...["ah", "ch", "dh", "bh"].map((name, i) => general(name, i + 4, 8, "forbidden")),
    ...["spl", "bpl", "sil", "dil"].map((name, i) => general(name, i + 4, 8, "needed")),
    ...range(8, 16).flatMap((number) => [
      general(`r${number}`, number, 64),
      general(`r${number}d`, number, 32),
      general(`r${number}w`, number, 16),
      general(`r${number}b`, number, 8),
    ]),
    ...SEGMENTS.map((name, number) => other(name, "segment", number, 16)),
    ...[0, 2, 3, 4, 8].map((number) => other(`cr${number}`, "control", number, 64)),
    ...range(0, 8).flatMap((number) => [
      other(`dr${number}`, "debug", number, 64),
      other(`mm${number}`, "mmx", number, 64),
      other(`st${number}`, "x87", number, 80),
    ]),
    ...range(0, 16).map((number) => other(`xmm${number}`, "xmm", number, 128)),
  ].map((register) => [register.name, register]),
);

function general(
  name: string,
  number: number,
  widthBits: number,
  rex: Register["rex"] = "any",
): Register {
  return { name, class: "general", number, widthBits, rex };
}

function other(
  name: string,
  registerClass: RegisterClass,
  number: number,
  widthBits: number,
): Register {
  return { name, class: registerClass, number, widthBits, rex: "any" };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
