/** Wireshark's parser as an oracle for captures. */

/**
 * The lines that `tshark` prints for a capture with further arguments, or `null` with a reason printed where it is not
 * installed; under CI that is an error. Throws if it cannot read the file.
 */
export async function tshark(path: string, args: readonly string[]): Promise<string[] | null> {
  const command = new Deno.Command("tshark", { args: ["-r", path, "-n", ...args] });
  let output: Deno.CommandOutput;
  try {
    output = await command.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) || Deno.env.get("CI") === "true") throw error;
    console.warn("skipped: tshark is not installed");
    return null;
  }
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(`tshark: ${decoder.decode(output.stderr)}`);
  return decoder.decode(output.stdout).split("\n").filter((line) => line !== "");
}
