/**
 * Keys and their scan codes: set 2 as keyboards send it, set 1 as the controller translates it, and the
 * US layout.
 *
 * Sources: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboards (101- and
 * 102-Key)" for the codes and "Keyboard and Auxiliary Device Controller" for the translation.
 */

/** What the controller makes of each byte below 80h of scan code set 2. */
const TRANSLATED = [
  "ff 43 41 3f 3d 3b 3c 58 64 44 42 40 3e 0f 29 59", // 00
  "65 38 2a 70 1d 10 02 5a 66 71 2c 1f 1e 11 03 5b", // 10
  "67 2e 2d 20 12 05 04 5c 68 39 2f 21 14 13 06 5d", // 20
  "69 31 30 23 22 15 07 5e 6a 72 32 24 16 08 09 5f", // 30
  "6b 33 25 17 18 0b 0a 60 6c 34 35 26 27 19 0c 61", // 40
  "6d 73 28 74 1a 0d 62 6e 3a 36 1c 1b 75 2b 63 76", // 50
  "55 56 77 78 79 7a 0e 7b 7c 4f 7d 4b 47 7e 7f 6f", // 60
  "52 53 50 4c 4d 48 01 45 57 4e 51 4a 37 49 46 54", // 70
].join(" ").split(" ").map((digits) => parseInt(digits, 16));

/** The two codes of set 2 from 80h that the controller changes. */
const TRANSLATED_HIGH: ReadonlyMap<number, number> = new Map([[0x83, 0x41], [0x84, 0x54]]);

/** What the controller makes of a byte from the keyboard; F0h, the break prefix, it handles itself. */
export function translateToSet1(byte: number): number {
  return byte < 0x80 ? TRANSLATED[byte] : TRANSLATED_HIGH.get(byte) ?? byte;
}

/** Make codes of set 1; those from E000h have the prefix E0h. */
const SET_1 = {
  Escape: 0x01,
  Digit1: 0x02,
  Digit2: 0x03,
  Digit3: 0x04,
  Digit4: 0x05,
  Digit5: 0x06,
  Digit6: 0x07,
  Digit7: 0x08,
  Digit8: 0x09,
  Digit9: 0x0a,
  Digit0: 0x0b,
  Minus: 0x0c,
  Equal: 0x0d,
  Backspace: 0x0e,
  Tab: 0x0f,
  KeyQ: 0x10,
  KeyW: 0x11,
  KeyE: 0x12,
  KeyR: 0x13,
  KeyT: 0x14,
  KeyY: 0x15,
  KeyU: 0x16,
  KeyI: 0x17,
  KeyO: 0x18,
  KeyP: 0x19,
  BracketLeft: 0x1a,
  BracketRight: 0x1b,
  Enter: 0x1c,
  ControlLeft: 0x1d,
  KeyA: 0x1e,
  KeyS: 0x1f,
  KeyD: 0x20,
  KeyF: 0x21,
  KeyG: 0x22,
  KeyH: 0x23,
  KeyJ: 0x24,
  KeyK: 0x25,
  KeyL: 0x26,
  Semicolon: 0x27,
  Quote: 0x28,
  Backquote: 0x29,
  ShiftLeft: 0x2a,
  Backslash: 0x2b,
  KeyZ: 0x2c,
  KeyX: 0x2d,
  KeyC: 0x2e,
  KeyV: 0x2f,
  KeyB: 0x30,
  KeyN: 0x31,
  KeyM: 0x32,
  Comma: 0x33,
  Period: 0x34,
  Slash: 0x35,
  ShiftRight: 0x36,
  NumpadMultiply: 0x37,
  AltLeft: 0x38,
  Space: 0x39,
  CapsLock: 0x3a,
  F1: 0x3b,
  F2: 0x3c,
  F3: 0x3d,
  F4: 0x3e,
  F5: 0x3f,
  F6: 0x40,
  F7: 0x41,
  F8: 0x42,
  F9: 0x43,
  F10: 0x44,
  NumLock: 0x45,
  ScrollLock: 0x46,
  Numpad7: 0x47,
  Numpad8: 0x48,
  Numpad9: 0x49,
  NumpadSubtract: 0x4a,
  Numpad4: 0x4b,
  Numpad5: 0x4c,
  Numpad6: 0x4d,
  NumpadAdd: 0x4e,
  Numpad1: 0x4f,
  Numpad2: 0x50,
  Numpad3: 0x51,
  Numpad0: 0x52,
  NumpadDecimal: 0x53,
  IntlBackslash: 0x56,
  F11: 0x57,
  F12: 0x58,
  NumpadEnter: 0xe01c,
  ControlRight: 0xe01d,
  NumpadDivide: 0xe035,
  PrintScreen: 0xe037,
  AltRight: 0xe038,
  Home: 0xe047,
  ArrowUp: 0xe048,
  PageUp: 0xe049,
  ArrowLeft: 0xe04b,
  ArrowRight: 0xe04d,
  End: 0xe04f,
  ArrowDown: 0xe050,
  PageDown: 0xe051,
  Insert: 0xe052,
  Delete: 0xe053,
  MetaLeft: 0xe05b,
  MetaRight: 0xe05c,
  ContextMenu: 0xe05d,
  /** Sends a sequence of its own on the press and nothing on the release. */
  Pause: 0xe11d45,
} as const;

/** A key by its place, with the names of the web's `KeyboardEvent.code`. */
export type KeyName = keyof typeof SET_1;

/** All key names, for listings and error messages. */
export const KEY_NAMES = Object.keys(SET_1) as readonly KeyName[];

/** Set 1 to set 2; F7 and SysRq have their codes above 80h. */
const SET_2_OF_SET_1 = new Map<number, number>([
  ...TRANSLATED.map((set1, set2): [number, number] => [set1, set2]),
  ...[...TRANSLATED_HIGH].map(([set2, set1]): [number, number] => [set1, set2]),
]);

/** The bytes that a keyboard in scan code set `set` sends when `key` goes down or up. */
export function scanCode(key: KeyName, down: boolean, set: 1 | 2): readonly number[] {
  if (key === "Pause") return down ? PAUSE[set] : [];
  const code = SET_1[key];
  const prefix = code > 0xff ? [0xe0] : [];
  const make = code & 0xff;
  if (set === 1) return [...prefix, down ? make : make | 0x80];
  const set2 = SET_2_OF_SET_1.get(make)!;
  return down ? [...prefix, set2] : [...prefix, 0xf0, set2];
}

const PAUSE = {
  1: [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5],
  2: [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77],
} as const;

/** How the US layout produces a character. */
export interface KeyStroke {
  readonly key: KeyName;
  readonly shift: boolean;
}

/** Rows of the US layout: keys, their characters, their characters with Shift. */
const US_ROWS: readonly [keys: string, plain: string, shifted: string][] = [
  [
    "Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal",
    "`1234567890-=",
    "~!@#$%^&*()_+",
  ],
  [
    "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash",
    "qwertyuiop[]\\",
    "QWERTYUIOP{}|",
  ],
  [
    "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote",
    "asdfghjkl;'",
    'ASDFGHJKL:"',
  ],
  ["KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash", "zxcvbnm,./", "ZXCVBNM<>?"],
  ["Space Enter Tab Backspace Escape", " \n\t\b\x1b", ""],
];

const US_LAYOUT: ReadonlyMap<string, KeyStroke> = new Map(
  US_ROWS.flatMap(([keys, plain, shifted]) =>
    keys.split(" ").flatMap((name, column): [string, KeyStroke][] => {
      const key = name as KeyName;
      const strokes: [string, KeyStroke][] = [[plain[column], { key, shift: false }]];
      if (shifted[column]) strokes.push([shifted[column], { key, shift: true }]);
      return strokes;
    })
  ),
);

/** The key stroke for a character on the US layout; throws `RangeError` if no key has it. */
export function keyStroke(character: string): KeyStroke {
  const stroke = US_LAYOUT.get(character);
  if (stroke) return stroke;
  throw new RangeError(
    `no key of the US layout types ${JSON.stringify(character)}; ` +
      "accepted are printable ASCII, newline, tab, backspace and escape",
  );
}
