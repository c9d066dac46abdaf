/** XenStore's bytes as text and back: one character for each byte, whatever the guest means by it. */

/** The text whose characters are `bytes`. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The bytes of `text`; throws `RangeError` for a character above 255. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 255) {
      throw new RangeError(`XenStore holds bytes, found the character U+${code.toString(16)}`);
    }
    bytes[at] = code;
  }
  return bytes;
}

/** The parts of `bytes` that a zero byte ends, or `null` if the last one has none. */
export function splitTerminated(bytes: Uint8Array): string[] | null {
  if (bytes.length === 0) return [];
  if (bytes[bytes.length - 1] !== 0) return null;
  return textOf(bytes.subarray(0, -1)).split("\0");
}
