/**
 * The host CPU as an oracle: host_cpu.c, built and talked to in batches.
 *
 * A request is a user-mode state with one instruction, a reply the state after it; both are records of bytes whose
 * layout stands here and in host_cpu.c.
 */

import { assertEquals } from "@std/assert";

/**
 * Addresses of the two code pages and of the two data pages, on the host and in the guest. The distance is no power of
 * two, so that bit strings whose index is one do not reach from the data into the code.
 */
export const CODE = 0x1234_5000;
export const DATA = 0x2000_0000;
export const DATA_BYTES = 8192;
export const GS_BASE: number = DATA + 0x800;
export const PATCH_BYTES = 64;
/** The start of an FXSAVE image: control and status, x87 registers, XMM registers. */
export const FX_BYTES = 416;
export const MAX_BATCH = 16384;

/** Offsets in a request. */
export const Request = {
  code: 0,
  length: 16,
  isLong: 17,
  singleStep: 18,
  codeAt: 20,
  flags: 24,
  patchAt: 28,
  patch: 32,
  general: 96,
  fx: 224,
  sizeBytes: 640,
} as const;

/** Offsets in a reply. The changed memory follows, padded to a multiple of eight. */
export const Reply = {
  /** Vector of the exception, or {@link COMPLETED}. */
  vector: 0,
  error: 4,
  /** Of a page fault. */
  address: 8,
  rip: 16,
  flags: 24,
  general: 32,
  fx: 160,
  changedAt: 576,
  changedBytes: 580,
  sizeBytes: 584,
} as const;

/** The vector of a reply when nothing was raised: that of the single step. */
export const COMPLETED = 1;

/** Why the oracle cannot run here; undefined if it can. */
export async function hostObstacle(): Promise<string | undefined> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") {
    return `the oracle needs x86_64 Linux, found ${Deno.build.arch} ${Deno.build.os}`;
  }
  try {
    await new Deno.Command("gcc", { args: ["--version"], stdout: "null" }).output();
    return undefined;
  } catch {
    return "the oracle needs gcc, found none";
  }
}

/** What the host's CPU is: its vendor and its features, named as Linux names them. */
export interface HostCpu {
  readonly vendor: "intel" | "amd";
  readonly flags: ReadonlySet<string>;
}

export async function hostCpu(): Promise<HostCpu> {
  // Deno itself reads /proc only when it may do everything.
  const { stdout } = await new Deno.Command("cat", { args: ["/proc/cpuinfo"] }).output();
  const text = new TextDecoder().decode(stdout);
  const flags = /^flags\s*:\s*(.*)$/m.exec(text)?.[1] ?? "";
  return {
    vendor: text.includes("GenuineIntel") ? "intel" : "amd",
    flags: new Set(flags.split(" ")),
  };
}

/** The running oracle. */
export class HostProcess {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamBYOBReader;

  private constructor(program: string) {
    this.#child = new Deno.Command(program, {
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.getReader({ mode: "byob" });
  }

  /** Builds the oracle in `directory` and starts it with `pattern` in its data pages. */
  static async start(
    directory: string,
    pattern: Uint8Array<ArrayBuffer>,
  ): Promise<HostProcess> {
    const program = `${directory}/host_cpu`;
    const source = new URL("./host_cpu.c", import.meta.url).pathname;
    const { success, stderr } = await new Deno.Command("gcc", {
      args: ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source],
    }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    const host = new HostProcess(program);
    await host.#writer.write(new Uint8Array(4));
    await host.#writer.write(pattern);
    return host;
  }

  /** Executes `count` requests; the replies lie one behind the other. */
  async execute(requests: Uint8Array<ArrayBuffer>, count: number): Promise<Uint8Array> {
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, count, true);
    const sent = this.#writer.write(header).then(() => this.#writer.write(requests));
    const length = await this.#read(4);
    const replies = await this.#read(new DataView(length.buffer).getUint32(0, true));
    await sent;
    return replies;
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }

  async #read(bytes: number): Promise<Uint8Array> {
    let buffer = new ArrayBuffer(bytes);
    let at = 0;
    while (at < bytes) {
      const { value, done } = await this.#reader.read(new Uint8Array(buffer, at, bytes - at));
      if (done || !value) throw new Error("the oracle stopped early");
      at += value.byteLength;
      buffer = value.buffer as ArrayBuffer;
    }
    return new Uint8Array(buffer);
  }
}
