/** Runs qemu-system-x86_64 as an independent machine on which images and load plans are proved. */

/** Whether tests with QEMU are skipped: where it is not installed, but never under CI. */
export const lacksQemu: boolean = Deno.env.get("CI") !== "true" && !isInstalled();

/** Well above what a boot takes, so that only a hang reaches it. */
const LIMIT_MS = 180_000;

function isInstalled(): boolean {
  try {
    return new Deno.Command("qemu-system-x86_64", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

/**
 * Runs QEMU's `pc` machine with 256 MiB and its serial port as output until it ends or prints
 * `until`, and returns what it printed.
 */
export async function runQemu(args: readonly string[], until: string): Promise<string> {
  const process = new Deno.Command("qemu-system-x86_64", {
    args: ["-M", "pc", "-m", "256", "-nographic", "-no-reboot", "-nodefaults"].concat(
      ["-serial", "stdio", ...args],
    ),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), LIMIT_MS);
  let output = "";
  try {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (output.includes(until)) break;
    }
  } finally {
    clearTimeout(timer);
    try {
      process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await process.status;
  }
  return output;
}
