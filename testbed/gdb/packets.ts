/**
 * Packets of GDB's remote serial protocol: `$data#checksum`, acknowledgements and interrupts.
 *
 * Source: "Debugging with GDB", "Remote Protocol", Overview. What a client sends is bounded here: a packet that is too
 * long, or whose checksum is wrong, is answered with `-` and forgotten.
 */

/** Longest packet that is taken, in bytes of data: what the stub tells as `PacketSize`. */
export const PACKET_BYTES = 0x4000;

/** What was received. */
export type Received =
  | { readonly kind: "packet"; readonly data: string }
  /** A packet that was not understood. */
  | { readonly kind: "bad" }
  | { readonly kind: "acknowledged" }
  | { readonly kind: "refused" }
  /** Ctrl-C. */
  | { readonly kind: "interrupt" };

const CODES = { dollar: 0x24, hash: 0x23, plus: 0x2b, minus: 0x2d, escape: 0x7d, interrupt: 3 };
const ESCAPE_BIT = 0x20;
/** Characters that data must not contain as they are. */
const SPECIAL = /[#$}*]/g;

/** Takes bytes and gives what they mean. Binary data is a string of characters 0 to 255. */
export class PacketReader {
  /** Between packets; within data; within the two digits of a checksum. */
  #state: "idle" | "data" | "checksum" = "idle";
  #raw: number[] = [];
  #digits = "";
  #isTooLong = false;

  *read(bytes: Uint8Array): Generator<Received> {
    for (const byte of bytes) {
      const received = this.#byte(byte);
      if (received) yield received;
    }
  }

  #byte(byte: number): Received | null {
    switch (this.#state) {
      case "idle":
        return this.#outside(byte);
      case "data":
        if (byte === CODES.hash) this.#state = "checksum";
        else if (byte === CODES.dollar) this.#begin();
        else if (this.#raw.length < PACKET_BYTES) this.#raw.push(byte);
        else this.#isTooLong = true;
        return null;
      case "checksum":
        this.#digits += String.fromCharCode(byte);
        if (this.#digits.length < 2) return null;
        this.#state = "idle";
        return this.#packet();
    }
  }

  #outside(byte: number): Received | null {
    switch (byte) {
      case CODES.dollar:
        this.#begin();
        return null;
      case CODES.plus:
        return { kind: "acknowledged" };
      case CODES.minus:
        return { kind: "refused" };
      case CODES.interrupt:
        return { kind: "interrupt" };
      default:
        return null;
    }
  }

  #begin(): void {
    this.#state = "data";
    this.#raw = [];
    this.#digits = "";
    this.#isTooLong = false;
  }

  #packet(): Received {
    const sum = this.#raw.reduce((sum, byte) => (sum + byte) & 0xff, 0);
    const told = /^[0-9a-f]{2}$/i.test(this.#digits) ? parseInt(this.#digits, 16) : -1;
    if (this.#isTooLong || told !== sum) return { kind: "bad" };
    let data = "";
    for (let i = 0; i < this.#raw.length; i++) {
      const escaped = this.#raw[i] === CODES.escape && i + 1 < this.#raw.length;
      data += String.fromCharCode(escaped ? this.#raw[++i] ^ ESCAPE_BIT : this.#raw[i]);
    }
    return { kind: "packet", data };
  }
}

/** A packet as bytes. */
export function writePacket(data: string): Uint8Array {
  const escaped = data.replace(
    SPECIAL,
    (character) => `}${String.fromCharCode(character.charCodeAt(0) ^ ESCAPE_BIT)}`,
  );
  let sum = 0;
  for (let i = 0; i < escaped.length; i++) sum = (sum + escaped.charCodeAt(i)) & 0xff;
  const text = `$${escaped}#${sum.toString(16).padStart(2, "0")}`;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Bytes as hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Hexadecimal digits as bytes, or `null` if they are none. */
export function fromHex(digits: string): Uint8Array | null {
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return null;
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** A number in hexadecimal, or `null` if it is none that fits 64 bits. */
export function hexNumber(digits: string | undefined): bigint | null {
  return digits !== undefined && /^[0-9a-f]{1,16}$/i.test(digits) ? BigInt(`0x${digits}`) : null;
}
