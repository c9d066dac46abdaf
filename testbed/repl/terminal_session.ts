/** A program in a pseudo terminal, driven by a transcript: wait for this, type that. For tests. */

/** What util-linux's `script` runs in a pseudo terminal of its own. */
export class TerminalSession {
  /** What the program printed so far, without what only moves the cursor or colours. */
  text = "";
  #read = 0;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: Promise<void>;
  #changed: () => void = () => {};

  constructor(command: readonly string[]) {
    const line = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    this.#child = new Deno.Command("script", {
      args: ["-qec", `stty rows 50 cols 200; ${line}`, "/dev/null"],
      env: { TERM: "xterm", NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#output = this.#collect();
  }

  /** Waits until the program prints `text` after what earlier waits found; returns what came before it. */
  async expect(text: string, patienceMs = 20_000): Promise<string> {
    const deadline = Date.now() + patienceMs;
    while (true) {
      const found = this.text.indexOf(text, this.#read);
      if (found >= 0) {
        const before = this.text.slice(this.#read, found);
        this.#read = found + text.length;
        return before;
      }
      if (Date.now() > deadline) {
        throw new Error(
          `the terminal did not show ${JSON.stringify(text)}; it shows:\n${this.text}`,
        );
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
        timer = setTimeout(resolve, 500);
      });
      clearTimeout(timer);
    }
  }

  async type(text: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(text));
  }

  /** Types a line of the REPL that does not end by itself, and waits until it is being evaluated. */
  async start(line: string): Promise<void> {
    await this.type(`console.log(20 + 22); ${line}\r`);
    await this.expect("\n42\n");
  }

  /** Waits for the program's end and returns its exit code. */
  async end(): Promise<number> {
    await this.#writer.close().catch(() => {});
    const { code } = await this.#child.status;
    await this.#output;
    return code;
  }

  async #collect(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stdout) {
      // deno-lint-ignore no-control-regex
      this.text += decoder.decode(bytes, { stream: true }).replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "")
        .replaceAll("\r", "");
      this.#changed();
    }
  }
}
