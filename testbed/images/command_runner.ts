/** Starting programs of the host, behind a small interface, so that tests can stand in for them. */

import { ImageError } from "./image_error.ts";

/** How a program ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts programs. */
export interface CommandRunner {
  /** Runs `command` to its end; throws {@link ImageError} if there is no such program. */
  run(
    command: string,
    args: readonly string[],
    options?: { readonly cwd?: string },
  ): Promise<CommandResult>;
}

/** Runs programs on the host, in the C locale, with no standard input. */
export const hostRunner: CommandRunner = {
  async run(command, args, options = {}) {
    try {
      const { code, stdout, stderr } = await new Deno.Command(command, {
        args: [...args],
        cwd: options.cwd,
        env: { LC_ALL: "C" },
        stdin: "null",
      }).output();
      const text = new TextDecoder();
      return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new ImageError(
        `the program ${command} is not installed; fetching Debian images needs a Debian-like system ` +
          "with apt and dpkg",
      );
    }
  },
};

/** Runs `command` and returns its output; throws {@link ImageError} with its last words if it fails. */
export async function runOrThrow(
  runner: CommandRunner,
  command: string,
  args: readonly string[],
  options?: { readonly cwd?: string },
): Promise<string> {
  const { code, stdout, stderr } = await runner.run(command, args, options);
  if (code === 0) return stdout;
  const words = stderr.trim().split("\n").filter((line) => !line.startsWith("W:")).slice(-3);
  throw new ImageError(
    `${command} ${args.at(-1) ?? ""} failed with code ${code}: ${words.join(" ")}`,
  );
}
