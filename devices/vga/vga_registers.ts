/**
 * The indexed registers of a VGA: writable bits, and the values of text mode 3.
 *
 * Source: IBM Personal System/2 Hardware Interface Technical Reference, "Video Subsystem".
 */

import { invariant } from "../../core/lib/assert.ts";

/** One indexed register. */
export interface VgaRegister {
  readonly index: number;
  readonly name: string;
  readonly writable: number;
  /** Its value in mode 3, 80 by 25 text. */
  readonly mode3: number;
}

type Row = readonly [name: string, writable: number, mode3: number];

function table(rows: readonly Row[]): readonly VgaRegister[] {
  return rows.map(([name, writable, mode3], index) => {
    invariant((mode3 & ~writable) === 0, `mode 3 sets bits that ${name} does not have`);
    return { index, name, writable, mode3 };
  });
}

/** Behind 3C4h and 3C5h. */
export const SEQUENCER = table([
  ["Reset", 0x03, 0x03],
  ["Clocking Mode", 0x3d, 0x00],
  ["Map Mask", 0x0f, 0x03],
  ["Character Map Select", 0x3f, 0x00],
  ["Memory Mode", 0x0e, 0x02],
]);

/** Behind 3CEh and 3CFh. */
export const GRAPHICS = table([
  ["Set/Reset", 0x0f, 0x00],
  ["Enable Set/Reset", 0x0f, 0x00],
  ["Color Compare", 0x0f, 0x00],
  ["Data Rotate", 0x1f, 0x00],
  ["Read Map Select", 0x03, 0x00],
  ["Graphics Mode", 0x7b, 0x10],
  ["Miscellaneous", 0x0f, 0x0e],
  ["Color Don't Care", 0x0f, 0x00],
  ["Bit Mask", 0xff, 0xff],
]);

/** Behind 3C0h. */
export const ATTRIBUTE = table([
  ["Palette 0", 0x3f, 0x00],
  ["Palette 1", 0x3f, 0x01],
  ["Palette 2", 0x3f, 0x02],
  ["Palette 3", 0x3f, 0x03],
  ["Palette 4", 0x3f, 0x04],
  ["Palette 5", 0x3f, 0x05],
  ["Palette 6", 0x3f, 0x14],
  ["Palette 7", 0x3f, 0x07],
  ["Palette 8", 0x3f, 0x38],
  ["Palette 9", 0x3f, 0x39],
  ["Palette 10", 0x3f, 0x3a],
  ["Palette 11", 0x3f, 0x3b],
  ["Palette 12", 0x3f, 0x3c],
  ["Palette 13", 0x3f, 0x3d],
  ["Palette 14", 0x3f, 0x3e],
  ["Palette 15", 0x3f, 0x3f],
  ["Attribute Mode Control", 0xef, 0x0c],
  ["Overscan Color", 0xff, 0x00],
  ["Color Plane Enable", 0x3f, 0x0f],
  ["Horizontal PEL Panning", 0x0f, 0x08],
  ["Color Select", 0x0f, 0x00],
]);

/** Behind 3D4h and 3D5h (3B4h and 3B5h in monochrome modes). */
export const CRTC = table([
  ["Horizontal Total", 0xff, 0x5f],
  ["Horizontal Display-Enable End", 0xff, 0x4f],
  ["Start Horizontal Blanking", 0xff, 0x50],
  ["End Horizontal Blanking", 0xff, 0x82],
  ["Start Horizontal Retrace", 0xff, 0x55],
  ["End Horizontal Retrace", 0xff, 0x81],
  ["Vertical Total", 0xff, 0xbf],
  ["Overflow", 0xff, 0x1f],
  ["Preset Row Scan", 0x7f, 0x00],
  ["Maximum Scan Line", 0xff, 0x4f],
  ["Cursor Start", 0x3f, 0x0d],
  ["Cursor End", 0x7f, 0x0e],
  ["Start Address High", 0xff, 0x00],
  ["Start Address Low", 0xff, 0x00],
  ["Cursor Location High", 0xff, 0x00],
  ["Cursor Location Low", 0xff, 0x00],
  ["Vertical Retrace Start", 0xff, 0x9c],
  ["Vertical Retrace End", 0xff, 0x8e],
  ["Vertical Display-Enable End", 0xff, 0x8f],
  ["Offset", 0xff, 0x28],
  ["Underline Location", 0x7f, 0x1f],
  ["Start Vertical Blanking", 0xff, 0x96],
  ["End Vertical Blanking", 0xff, 0xb9],
  ["CRT Mode Control", 0xef, 0xa3],
  ["Line Compare", 0xff, 0xff],
]);

/** The Miscellaneous Output register in mode 3. */
export const MISC_MODE_3 = 0x67;

/** A group of registers behind an index. */
export class RegisterFile {
  readonly values: Uint8Array;
  index = 0;

  constructor(readonly registers: readonly VgaRegister[]) {
    this.values = Uint8Array.from(registers, (register) => register.mode3);
  }

  /** Reads the register that the index selects; beyond the last there is nothing. */
  read(): number {
    return this.values[this.index] ?? 0;
  }

  /** Writes the bits that the selected register has. */
  write(value: number): void {
    const register = this.registers[this.index];
    if (register) this.values[this.index] = value & register.writable;
  }

  reset(): void {
    this.index = 0;
    for (const { index, mode3 } of this.registers) this.values[index] = mode3;
  }

  save(): { index: number; values: Uint8Array } {
    return { index: this.index, values: this.values.slice() };
  }

  restore(state: { index: number; values: Uint8Array }): void {
    this.index = state.index;
    this.values.set(state.values);
  }
}
