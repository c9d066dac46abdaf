/**
 * Standard input, handed to one reader at a time: the line editor, or a machine's console.
 *
 * The line editor reads a stream of its own, so that it neither sees nor echoes what is typed to a guest.
 */

import { PassThrough } from "node:stream";

/** The part of a terminal's input that the router uses; `node:process` has it as `stdin`. */
export interface TerminalInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** The stream that the line editor reads. */
export class EditorInput extends PassThrough {
  constructor(private readonly source: TerminalInput) {
    super();
  }

  get isTTY(): boolean {
    return this.source.isTTY ?? false;
  }

  setRawMode(raw: boolean): this {
    this.source.setRawMode?.(raw);
    return this;
  }
}

/** Routes each piece of input to whoever has the keyboard. */
export class KeyRouter {
  readonly editor: EditorInput;
  #taker: ((bytes: Uint8Array) => void) | null = null;

  constructor(private readonly source: TerminalInput) {
    this.editor = new EditorInput(source);
    source.on("data", (bytes) => this.#taker ? this.#taker(bytes) : this.editor.write(bytes));
    source.on("end", () => this.editor.end());
    source.resume();
  }

  /** Gives the keyboard to `taker` until the function that is returned is called. */
  take(taker: (bytes: Uint8Array) => void): () => void {
    this.#taker = taker;
    return () => this.#taker = null;
  }

  /** Stops reading, so that the process may end. */
  close(): void {
    this.source.pause();
  }
}
