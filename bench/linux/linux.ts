/** A Linux that is booted on some emulator and then used through its serial console. */

import { type DebianFlavour, type DebianGuest, SHELL_PROMPT } from "../../testbed/images/mod.ts";

/** RAM of every guest. */
export const MEMORY_MIB = 256;
export const COMMAND_LINE = "console=ttyS0 quiet";
const FORKS = 200;
const DONE = "all have ended";
/** The loop is a shell's own; each turn forks once and executes busybox. */
const FORK_LOOP = `i=0; while [ $i -lt ${FORKS} ]; do /bin/busybox true; i=$((i+1)); done; ` +
  `echo all "have ended"\n`;

/** A kernel, and how it is started: a bzImage by the boot protocol, a vmlinux at its PVH entry. */
export interface LinuxGuest {
  readonly flavour: DebianFlavour;
  readonly role: "bzImage" | "vmlinux";
  readonly cpus: number;
  readonly files: DebianGuest;
}

/** A guest whose first instruction is about to be executed. */
export interface LinuxConsole {
  /** Resolves once the guest has printed `text` behind what was waited for before. Rejects if the signal fires. */
  waitFor(text: string): Promise<void>;
  send(text: string): void;
  stop(): Promise<void>;
}

/** An emulator that boots kernels. */
export interface LinuxEngine {
  readonly name: string;
  readonly runs: (guest: LinuxGuest) => boolean;
  available(): Promise<boolean>;
  start(guest: LinuxGuest, signal: AbortSignal): Promise<LinuxConsole>;
}

/** Wall times in milliseconds. */
export interface LinuxTimes {
  /** From the start to the shell's prompt. */
  readonly boot: number;
  /** Of 200 times fork and exec of busybox. */
  readonly forks: number;
}

/** Boots `guest` on `engine`, uses it, and ends it. */
export async function measureLinux(
  engine: LinuxEngine,
  guest: LinuxGuest,
  signal: AbortSignal,
): Promise<LinuxTimes> {
  const begun = performance.now();
  const console = await engine.start(guest, signal);
  try {
    await console.waitFor(SHELL_PROMPT);
    const boot = performance.now() - begun;
    // The console echoes what is typed, in which the last words are quoted.
    console.send(FORK_LOOP);
    await console.waitFor("\n");
    const typed = performance.now();
    await console.waitFor(DONE);
    return { boot, forks: performance.now() - typed };
  } finally {
    await console.stop();
  }
}

/** Waits for text in what arrives piece by piece. */
export class TextWaiter {
  #text = "";
  #from = 0;
  #wanted: { readonly text: string; readonly resolve: () => void } | null = null;
  #failure: Error | null = null;
  #reject: (error: Error) => void = () => {};

  add(piece: string): void {
    this.#text += piece;
    this.#look();
  }

  /** No more text will come. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#reject(this.#failure);
  }

  waitFor(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#wanted = { text, resolve };
      this.#reject = reject;
      this.#look();
    });
  }

  #look(): void {
    if (this.#wanted === null) return;
    const { text, resolve } = this.#wanted;
    const at = this.#text.indexOf(text, this.#from);
    if (at < 0) return;
    this.#from = at + text.length;
    this.#wanted = null;
    resolve();
  }
}
