/** What a VGA in text mode shows: characters, attributes and the cursor, read from registers and planes. */

import { CP437 } from "./cp437.ts";

/** The cursor of a text screen. */
export interface TextCursor {
  /** From 0 at the top; may lie outside the screen. */
  readonly row: number;
  readonly column: number;
  /** Whether it is on the screen and switched on. */
  readonly visible: boolean;
}

/** A text screen at one instant. */
export interface TextScreen {
  readonly rows: number;
  readonly columns: number;
  /** One string for each row, as wide as the screen, in Unicode. */
  readonly text: readonly string[];
  /** One array for each row: foreground in bits 3 to 0, background in 6 to 4, blink or bright in 7. */
  readonly attributes: readonly Uint8Array[];
  readonly cursor: TextCursor;
}

/** Reads the screen of text mode from the CRTC's registers and the interleaved planes. */
export function readTextScreen(crtc: Uint8Array, memory: Uint8Array): TextScreen {
  const columns = crtc[0x01] + 1;
  const rows = textRows(crtc);
  const start = (crtc[0x0c] << 8) | crtc[0x0d];
  const pitch = crtc[0x13] * 2;
  const text: string[] = [];
  const attributes: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    const line = new Uint8Array(columns);
    let characters = "";
    for (let column = 0; column < columns; column++) {
      const cell = 4 * ((start + row * pitch + column) & 0xffff);
      characters += CP437[memory[cell]];
      line[column] = memory[cell + 1];
    }
    text.push(characters);
    attributes.push(line);
  }
  return { rows, columns, text, attributes, cursor: readCursor(crtc, rows, columns, start, pitch) };
}

/** Scan lines by lines of a character. */
function textRows(crtc: Uint8Array): number {
  const overflow = crtc[0x07];
  const lines = (crtc[0x12] | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
  const doubled = crtc[0x09] & 0x80 ? 2 : 1;
  return Math.max(1, Math.floor(lines / ((crtc[0x09] & 0x1f) + 1) / doubled));
}

function readCursor(
  crtc: Uint8Array,
  rows: number,
  columns: number,
  start: number,
  pitch: number,
): TextCursor {
  const location = (((crtc[0x0e] << 8) | crtc[0x0f]) - start) & 0xffff;
  const row = pitch === 0 ? 0 : Math.floor(location / pitch);
  const column = pitch === 0 ? location : location % pitch;
  const on = !(crtc[0x0a] & 0x20) && (crtc[0x0a] & 0x1f) <= (crtc[0x0b] & 0x1f);
  return { row, column, visible: on && row < rows && column < columns };
}
