/** Which parts of the CPU state a region's instructions mention: what it loads when it is entered. */

import type { Statement } from "../x86/ir/ir.ts";
import { offsetOf, registerOffset } from "../x86/state/layout.ts";
import { type GuestLocals, homeOf } from "./guest_locals.ts";
import { BASED, offsetOfPlace, segmentOf } from "./instruction_writer.ts";
import type { RegionInstruction } from "./region.ts";

/** Takes note of what `instructions` read and write. */
export function useState(instructions: readonly RegionInstruction[], guest: GuestLocals): void {
  for (const at of instructions) {
    if (!at.shape.inlined) continue;
    const { addressing } = at.instruction;
    for (const register of [addressing?.base ?? -1, addressing?.index ?? -1]) {
      if (register >= 0) guest.use(registerOffset(register), false);
    }
    usePlaces(at, at.shape.statements, guest);
  }
}

function usePlaces(
  at: RegionInstruction,
  statements: readonly Statement[],
  guest: GuestLocals,
): void {
  for (const s of statements) {
    switch (s.kind) {
      case "read":
      case "write": {
        if (s.place.kind === "indexed") break;
        const home = homeOf(offsetOfPlace(at, s.place));
        if (home >= 0) guest.use(home, s.kind === "write");
        break;
      }
      case "load":
      case "store": {
        if (at.instruction.bound.form.access !== "longBased") break;
        const base = `${segmentOf(at, s.segment)}Base`;
        const name = BASED.find((based) => based === base);
        if (name) guest.use(offsetOf(name), false);
        break;
      }
      case "if":
        usePlaces(at, s.then, guest);
        usePlaces(at, s.otherwise, guest);
        break;
      case "loop":
        usePlaces(at, s.body, guest);
        break;
    }
  }
}
