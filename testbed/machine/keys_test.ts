import { assertEquals, assertThrows } from "@std/assert";
import { keysOf } from "./keys.ts";

const rows: readonly [key: string, keys: readonly string[]][] = [
  ["a", ["KeyA"]],
  ["A", ["ShiftLeft", "KeyA"]],
  ["/", ["Slash"]],
  ["+", ["ShiftLeft", "Equal"]],
  [" ", ["Space"]],
  ["KeyA", ["KeyA"]],
  ["Enter", ["Enter"]],
  ["Control+c", ["ControlLeft", "KeyC"]],
  ["Control+Alt+Delete", ["ControlLeft", "AltLeft", "Delete"]],
  ["Control++", ["ControlLeft", "ShiftLeft", "Equal"]],
];

for (const [key, keys] of rows) {
  Deno.test(`${JSON.stringify(key)} presses ${keys.join(", ")}`, () => {
    assertEquals(keysOf(key), keys);
  });
}

for (const key of ["", "é", "enter", "Control+", "toString"]) {
  Deno.test(`${JSON.stringify(key)} is no key`, () => {
    assertThrows(() => keysOf(key), RangeError, "key");
  });
}
