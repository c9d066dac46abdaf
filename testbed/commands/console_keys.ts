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

  /** Takes the bytes of one or more keys; what follows the way out in them is dropped. */
  type(bytes: Uint8Array): void {
    if (!this.interactive) return this.target.send(bytes);
    const sent: number[] = [];
    const quits = bytes.some((byte) => this.#isWayOut(byte, sent));
    if (sent.length > 0) this.target.send(new Uint8Array(sent));
    if (quits) this.target.quit();
  }

  /** Whether `byte` ends the connection; one that is meant for the guest is added to `sent`. */
  #isWayOut(byte: number, sent: number[]): boolean {
    const escaped = this.#escaped;
    this.#escaped = !escaped && byte === CTRL_A;
    if (this.#escaped) return false;
    if (byte === (escaped ? QUIT_KEY : CTRL_C)) return true;
    sent.push(byte);
    return false;
  }
}
