import { assertEquals } from "@std/assert";
import { ConsoleKeys } from "./console_keys.ts";

/** What the machine gets, with `quit` where the connection ends. */
function typed(interactive: boolean, ...pieces: readonly string[]): string[] {
  const events: string[] = [];
  const keys = new ConsoleKeys(interactive, {
    send: (bytes) => events.push(new TextDecoder().decode(bytes)),
    quit: () => events.push("quit"),
  });
  for (const piece of pieces) keys.type(new TextEncoder().encode(piece));
  return events;
}

const ROWS: readonly [claim: string, pieces: readonly string[], expected: readonly string[]][] = [
  ["keys go to the guest", ["ls", "\r"], ["ls", "\r"]],
  ["Ctrl-C quits, after the keys before it", ["ls\x03rm"], ["ls", "quit"]],
  ["Ctrl-A x quits, in one piece or in two", ["a\x01x", "\x01", "x"], ["a", "quit", "quit"]],
  ["Ctrl-A sends the next key as it is", ["\x01\x03\x01\x01x"], ["\x03\x01x"]],
];

for (const [claim, pieces, expected] of ROWS) {
  Deno.test(`at a terminal ${claim}`, () => assertEquals(typed(true, ...pieces), expected));
}

Deno.test("a pipe's bytes all go to the guest", () => {
  assertEquals(typed(false, "\x03\x01x"), ["\x03\x01x"]);
});
