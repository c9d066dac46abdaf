import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { TerminalSession } from "./terminal_session.ts";

const SESSION = fileURLToPath(new URL("./stand_in_session.ts", import.meta.url));
const PROMPT = "xenarium> ";

function command(history: string): string[] {
  const grants = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
  return [Deno.execPath(), "run", "--quiet", "--no-check", ...grants, SESSION, history];
}

/** Runs `body` in a session at a terminal; the session ends by Ctrl-D. */
async function atTerminal(body: (session: TerminalSession) => Promise<void>, history?: string) {
  const file = history ?? await Deno.makeTempFile();
  const session = new TerminalSession(command(file));
  try {
    await session.expect(PROMPT);
    await body(session);
    await session.type("\x04");
  } finally {
    const code = await session.end();
    if (!history) await Deno.remove(file);
    assertEquals(code, 0);
  }
}

/** Types a line and returns what is printed until the next prompt. */
async function line(session: TerminalSession, text: string): Promise<string> {
  await session.type(`${text}\r`);
  await session.expect("\n");
  return (await session.expect(PROMPT)).trimEnd();
}

Deno.test("a session at a terminal evaluates TypeScript, keeps names, and survives errors", () =>
  atTerminal(async (session) => {
    assertEquals(await line(session, "const a: number = await Promise.resolve(20)"), "");
    assertEquals(await line(session, "a + 1 as number"), "21");
    assertEquals(await line(session, "const a = 5n; a"), "5n");
    assertEquals(await line(session, "_ * 2n"), "10n");
    assertEquals(await line(session, "{ a: 1 }"), "{ a: 1 }");
    assertEquals(
      await line(session, 'import { basename as b } from "node:path"; b("/x/y")'),
      "'y'",
    );
    assertStringIncludes(await line(session, 'throw new RangeError("no")'), "RangeError: no");
    assertStringIncludes(await line(session, "const b: = 1"), "Uncaught SyntaxError");
    assertEquals(await line(session, "enum E { A = 7 }; E.A"), "7");
  }));

Deno.test("an unfinished line is continued", () =>
  atTerminal(async (session) => {
    await session.type("[1,\r");
    await session.expect("| ");
    assertStringIncludes(await line(session, "2]"), "[ 1, 2 ]");
  }));

Deno.test("Tab completes members of live objects", () =>
  atTerminal(async (session) => {
    await line(session, "const m = await createMachine()");
    await session.type("m.cpus[0].regi");
    await session.expect("m.cpus[0].regi");
    await session.type("\t");
    await session.expect("sters");
    assertStringIncludes(await line(session, ".rip"), "4096n");
  }));

Deno.test("Ctrl-C stops a running machine, which can be looked at", () =>
  atTerminal(async (session) => {
    await line(session, "const m = await createMachine()");
    await line(session, 'await m.run({ untilText: "booting\\n" })');
    await session.start("await m.run()");
    await session.type("\x03");
    assertStringIncludes(await session.expect(PROMPT), "aborted");
    assertStringIncludes(await line(session, ".regs"), "0000000000001000");
    assertStringIncludes(await line(session, "m.console.text"), "'booting\\n'");
  }));

Deno.test("Ctrl-C leaves a promise behind that never settles", () =>
  atTerminal(async (session) => {
    await session.start("const p = new Promise(() => {}); await p");
    await session.type("\x03");
    assertStringIncludes(await session.expect(PROMPT), "goes on in the background");
    assertEquals(await line(session, "1 + 1"), "2");
  }));

Deno.test("dot commands look at machines", () =>
  atTerminal(async (session) => {
    assertStringIncludes(await line(session, ".regs"), "there is no machine");
    await line(session, "const m = await createMachine()");
    assertStringIncludes(await line(session, ".machines"), "machine1");
    assertStringIncludes(await line(session, ".disas 1000 2"), "0x1000   48 89 d8  mov rax, rbx");
    assertStringIncludes(await line(session, ".step"), "0x1001");
    assertStringIncludes(await line(session, ".mem 1000 4"), "0x1000  48 89 d8 f4");
    assertStringIncludes(await line(session, ".mem phys:ffffff 4"), "no RAM");
    assertStringIncludes(await line(session, ".mem"), "expected an address");
    assertStringIncludes(await line(session, ".machines machine2"), "did you mean machine1?");
    assertStringIncludes(await line(session, ".help"), ".disas [address] [count]");
    await line(session, "await m.run({ forCycles: 60 })");
    assertStringIncludes(await line(session, ".trace"), "uart");
    assertStringIncludes(await line(session, ".trace"), "hot.regions");
    assertStringIncludes(await line(session, ".profile 100"), "one sample in 100 cycles");
    assertStringIncludes(await line(session, ".profile"), "no samples yet");
    assertStringIncludes(await line(session, ".profile 0"), "every 1 cycle or more, found 0");
  }));

Deno.test(".console connects the keyboard to the machine until Ctrl-C", () =>
  atTerminal(async (session) => {
    await line(session, "const m = await createMachine()");
    await session.type(".console\r");
    await session.expect("booting");
    await session.type("ls\x03");
    assertStringIncludes(await session.expect(PROMPT), "interrupted");
    assertEquals(await line(session, "m.console.typed"), "'ls'");
  }));

Deno.test("the history is kept from session to session", async () => {
  const folder = await Deno.makeTempDir();
  const history = `${folder}/cache/history`;
  await atTerminal(async (session) => {
    await line(session, '"first".length');
  }, history);
  await atTerminal(async (session) => {
    await session.type("\x1b[A");
    await session.expect('"first".length');
    assertEquals(await line(session, " + 1"), "6");
  }, history);
  assertEquals(await Deno.readTextFile(history), '"first".length\n"first".length + 1\n');
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a pipe's lines are evaluated in turn, without prompts", async () => {
  const [program, ...args] = command("");
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const lines = [
    "const m = await createMachine({ name: 'a' })",
    "(await m.run({ forCycles: 100 })).kind",
    ".machines",
    "m.now",
  ];
  await writer.write(new TextEncoder().encode(`${lines.join("\n")}\n`));
  await writer.close();
  const { code, stdout } = await child.output();
  assertEquals(code, 0);
  assertEquals(
    new TextDecoder().decode(stdout),
    "'limit'\nname  cpus  memory  time   state\na        1  128MiB  100ns  limit\n100\n",
  );
});
