/** Keys between a terminal and a machine's console: all go to the guest, but for the way out. */

const CTRL_A = 0x01;
const CTRL_C = 0x03;
const QUIT_KEY = "x".charCodeAt(0);

/** Where keys go. */
export interface KeyTarget {
  send(bytes: Uint8Array): void;
  quit(): void;
}

/** Passes bytes on; on a terminal Ctrl-C and `Ctrl-A x` quit, and Ctrl-A sends the next key as it is. */
export class ConsoleKeys {
  #escaped = false;

  /** `interactive`: whether the bytes are keys; a pipe's bytes all go through. */
  constructor(
    private readonly interactive: boolean,
    private readonly target: KeyTarget,
  ) {}

  /** Takes the bytes of one or more keys. */
  type(bytes: Uint8Array): void {
    if (!this.interactive) return this.target.send(bytes);
    const sent: number[] = [];
    for (const byte of bytes) {
      if (this.#escaped) {
        this.#escaped = false;
        if (byte === QUIT_KEY) return this.target.quit();
        sent.push(byte);
      } else if (byte === CTRL_C) return this.target.quit();
      else if (byte === CTRL_A) this.#escaped = true;
      else sent.push(byte);
    }
    if (sent.length > 0) this.target.send(new Uint8Array(sent));
  }
}
