/** Debian's gdb, driven by commands, on what a stub serves. */

import { assert } from "@std/assert";
import { serveGdb } from "../../mod.ts";

/** Whether gdb is there; CI must have it. */
export const hasGdb: boolean = await new Deno.Command("gdb", {
  args: ["--version"],
  stdout: "null",
}).output().then(({ success }) => success, () => false);
if (!hasGdb) console.warn("skipped: gdb is not installed");
assert(hasGdb || Deno.env.get("CI") !== "true", "CI needs gdb");

/** What gdb is to look at, and how. */
export interface GdbSession {
  readonly target: Parameters<typeof serveGdb>[0];
  /** As gdb names it. */
  readonly architecture: string;
  /** A command that misses its stop must not run for ever. */
  readonly run: NonNullable<Parameters<typeof serveGdb>[1]>["run"];
  readonly commands: readonly string[];
}

/** Runs gdb with the target's symbols; returns what it printed between the marks (`echo == NAME\\n`) that the commands set. */
export async function gdbSession(
  { target, architecture, run, commands }: GdbSession,
): Promise<string[]> {
  const symbols = await Deno.makeTempFile({ suffix: ".sym" });
  await Deno.writeFile(symbols, target.debugger.symbolFile());
  const server = await serveGdb(target, { run });
  const lines = [
    "set pagination off",
    "set confirm off",
    "set width 0",
    `set architecture ${architecture}`,
    `symbol-file ${symbols}`,
    `target remote 127.0.0.1:${server.port}`,
    ...commands,
    "echo == done\\n",
  ];
  const { stdout, stderr } = await new Deno.Command("gdb", {
    args: ["-nx", "-batch", ...lines.flatMap((line) => ["-ex", line])],
    stdout: "piped",
    stderr: "piped",
    env: { LC_ALL: "C" },
  }).output();
  server.close();
  await Deno.remove(symbols);
  const text = new TextDecoder().decode(stdout);
  if (!text.includes("== done")) throw new Error(`${text}\n${new TextDecoder().decode(stderr)}`);
  return text.split("== ").slice(1);
}
