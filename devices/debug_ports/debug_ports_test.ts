import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { DebugConsole, debugConsolePort } from "./debug_console.ts";
import { attachDebugExit } from "./debug_exit.ts";
import { Port92 } from "./port92.ts";
import { PostPort } from "./post_port.ts";

test("POST port keeps the last codes once each", () => {
  const ports = new IoSpace();
  const post = new PostPort(ports);
  assertEquals([post.last, ports.read(0x80, 1)], [undefined, 0xff]);
  for (const code of [1, 2, 2, 2, 3]) ports.write(0x80, 1, code);
  assertEquals([post.codes, ports.read(0x80, 1)], [[1, 2, 3], 3]);
  for (let code = 0; code < 100; code++) ports.write(0x80, 1, code);
  assertEquals([post.codes.length, post.codes[0], post.last], [32, 68, 99]);
  const other = new PostPort(new IoSpace());
  other.restore(post.save());
  assertEquals(other.codes, post.codes);
});

/** What is written to port 0xF4, with what size, and the exit code. */
const exits = [[0, 1, 1], [0x10, 4, 0x21], [0x31, 1, 0x63], [0xff, 1, 0xff]] as const;

for (const [value, size, code] of exits) {
  test(`Debug exit of ${value} ends the machine with ${code}`, () => {
    const ports = new IoSpace();
    const codes: number[] = [];
    attachDebugExit(ports, { exit: (exit) => codes.push(exit) });
    assertEquals(ports.read(0xf4, 1), 0);
    ports.write(0xf4, size, value);
    assertEquals(codes, [code]);
  });
}

test("Debug console answers 0xE9 and passes characters on", () => {
  const ports = new IoSpace();
  const bytes: number[] = [];
  const log = new DebugConsole(ports, debugConsolePort.seabios, (byte) => bytes.push(byte));
  new DebugConsole(ports, debugConsolePort.bochs);
  assertEquals([ports.read(0x402, 1), ports.read(0xe9, 1)], [0xe9, 0xe9]);
  for (const byte of [0x48, 0x69, 0x0a]) ports.write(0x402, 1, byte);
  assertEquals([log.text, bytes], ["Hi\n", [0x48, 0x69, 0x0a]]);
  for (let count = 0; count < 20_000; count++) ports.write(0x402, 1, 0x2e);
  assertEquals(log.text.length <= 16_384, true);
});

test("Port 92 gates A20 and resets on a rise of bit 0", () => {
  const ports = new IoSpace();
  const log: string[] = [];
  const port = new Port92({
    ports,
    power: { reset: () => log.push("reset") },
    onA20: (open) => log.push(open ? "A20" : "a20"),
  });
  assertEquals(ports.read(0x92, 1), 2);
  for (const value of [0, 2, 3, 3, 2, 1]) ports.write(0x92, 1, value);
  assertEquals(log, ["a20", "A20", "reset", "a20", "reset"]);
  const saved = port.save();
  port.reset();
  assertEquals([ports.read(0x92, 1), log.at(-1)], [2, "A20"]);
  port.restore(saved);
  assertEquals(ports.read(0x92, 1), 1);
});
