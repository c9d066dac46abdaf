/** Keys as scripts name them: by character, by name, and in chords. */

import { KEY_NAMES, type KeyName, keyStroke } from "../../devices/i8042/mod.ts";

/** Modifiers without a side: the left one is meant. */
const MODIFIERS: Readonly<Record<string, KeyName>> = {
  Control: "ControlLeft",
  Shift: "ShiftLeft",
  Alt: "AltLeft",
  Meta: "MetaLeft",
};

/**
 * The keys to press together for `key`: a character of the US layout (`a`, `A`, `/`), the name of a key
 * (`Enter`, `ArrowDown`, `KeyA`), or several joined by `+` (`Control+c`). Throws `RangeError` for others.
 */
export function keysOf(key: string): readonly KeyName[] {
  if (key.length === 1) {
    const stroke = keyStroke(key);
    return stroke.shift ? ["ShiftLeft", stroke.key] : [stroke.key];
  }
  const parts = key.endsWith("++") ? [...key.slice(0, -2).split("+"), "+"] : key.split("+");
  if (parts.length > 1) return parts.flatMap(keysOf);
  const name = Object.hasOwn(MODIFIERS, key) ? MODIFIERS[key] : key;
  if ((KEY_NAMES as readonly string[]).includes(name)) return [name as KeyName];
  const names = [...Object.keys(MODIFIERS), ...KEY_NAMES].join(", ");
  throw new RangeError(`no key is named ${JSON.stringify(key)}; there are characters and ${names}`);
}
