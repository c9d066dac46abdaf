/** The REPL at a terminal with real machines: looking at them, stepping, and interrupting them. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { TerminalSession } from "./terminal_session.ts";

const ROOT = new URL("../../", import.meta.url);
const PROMPT = "xenarium> ";

async function atTerminal(body: (session: TerminalSession) => Promise<void>) {
  const cache = await Deno.makeTempDir();
  const main = fileURLToPath(new URL("main.ts", ROOT));
  const session = new TerminalSession([
    ...["env", `XENARIUM_CACHE=${cache}`, Deno.execPath(), "run", "--quiet", "--no-check"],
    ...["--allow-read", "--allow-write", "--allow-env", "--allow-sys", main, "repl"],
  ]);
  try {
    await session.expect(PROMPT);
    await body(session);
    await session.type("\x04");
  } finally {
    const code = await session.end();
    await Deno.remove(cache, { recursive: true });
    assertEquals(code, 0);
  }
}

async function line(session: TerminalSession, text: string): Promise<string> {
  await session.type(`${text}\r`);
  await session.expect("\n");
  return (await session.expect(PROMPT)).trimEnd();
}

/** A machine `m` whose code is `again: inc eax; jmp again`. */
const ENDLESS = [
  `const { writeElf } = await import("${new URL("guests/tiny/mod.ts", ROOT)}")`,
  "const kernel = writeElf({ bits: 32, address: 0x100000, entry: 0x100000, " +
  "bytes: Uint8Array.of(0x40, 0xeb, 0xfd) })",
  "const m = await createMachine({ memory: '16MiB', kernel })",
];

Deno.test("dot commands look at a real machine, and step it", () =>
  atTerminal(async (session) => {
    await line(
      session,
      "const m = await createMachine({ memory: '16MiB', kernel: tinyGuests[0].image() })",
    );
    assertStringIncludes(await line(session, ".machines"), "machine1");
    assertStringIncludes(await line(session, ".regs"), "rip");
    const entry = await line(session, "m.cpus[0].registers.rip.toString(16)");
    const at = entry.replaceAll("'", "").trim();
    assertStringIncludes(await line(session, ".disas"), `0x${at}`);
    assertStringIncludes(await line(session, ".mem phys:100000 16"), "0x100000");
    assertStringIncludes(await line(session, ".mem rip 4"), `0x${at}`);
    assertStringIncludes(await line(session, ".disas rip+0 1"), `0x${at}`);
    assertStringIncludes(await line(session, ".mem xyz"), "xyz");
    await line(session, ".step 3");
    assertStringIncludes(await line(session, "Number(m.now)"), "3");
    assertStringIncludes(await line(session, "(await m.run()).kind"), "exit");
    assertStringIncludes(await line(session, ".trace"), "port");
    assertStringIncludes(await line(session, ".regions"), "no code is translated");
    assertStringIncludes(await line(session, "m.console.text"), "protected mode with paging");
  }));

Deno.test("Ctrl-C stops a real machine that runs for ever, and it can be looked at and go on", () =>
  atTerminal(async (session) => {
    for (const text of ENDLESS) assertEquals(await line(session, text), "");
    await session.start("await m.run()");
    await session.type("\x03");
    assertStringIncludes(await session.expect(PROMPT), "aborted");
    assertStringIncludes(await line(session, ".disas"), "jmp");
    assertStringIncludes(await line(session, "(await m.run({ forCycles: 10 })).kind"), "limit");
    await session.type(".console\r");
    await session.expect("\n");
    await new Promise((resolve) => setTimeout(resolve, 500));
    await session.type("\x03");
    assertStringIncludes(await session.expect(PROMPT), "interrupted");
    assertStringIncludes(await line(session, "1 + 1"), "2");
  }));

Deno.test("the debugger's commands work on a domain of a host that was chosen", () =>
  atTerminal(async (session) => {
    for (
      const text of [
        "const host = await Host.boot({ memory: '64MiB' })",
        "const d = await host.create({ name: 'a', kernel: 'tiny', memory: '4MiB' })",
      ]
    ) assertEquals(await line(session, text), "");
    assertStringIncludes(await line(session, "await d.console.waitFor('tiny> ')"), "tiny>");
    assertStringIncludes(await line(session, ".domain b"), "there is no domain b");
    assertStringIncludes(await line(session, ".domain a"), "debugger commands mean domain a now");
    assertStringIncludes(await line(session, ".regs"), "rip");
    assertStringIncludes(await line(session, ".break rip+1"), "stop 1");
    await line(session, "d.console.send('help\\n')");
    assertStringIncludes(await line(session, ".cont"), "stop 1");
    assertStringIncludes(await line(session, ".walk rip"), "PML4E");
    assertStringIncludes(await line(session, ".stepi"), "cycle");
    assertStringIncludes(await line(session, "host.destroy(d)"), "");
    assertStringIncludes(await line(session, ".regs"), "domain a is gone");
  }));
