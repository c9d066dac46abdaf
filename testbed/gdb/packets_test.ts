import { assertEquals } from "@std/assert";
import { fromHex, hexNumber, PACKET_BYTES, PacketReader, toHex, writePacket } from "./packets.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What arrives, and what it means. Checksums are those of the manual's examples or computed by hand. */
const TRANSCRIPTS: readonly (readonly [what: string, sent: string, received: readonly string[]])[] =
  [
    ["a packet", "$?#3f", ["packet ?"]],
    ["two packets and an acknowledgement", "$g#67+$?#3f", ["packet g", "acknowledged", "packet ?"]],
    ["a refusal", "-", ["refused"]],
    ["Ctrl-C between packets", "\x03$?#3f\x03", ["interrupt", "packet ?", "interrupt"]],
    ["a wrong checksum", "$?#40", ["bad"]],
    ["a checksum that is none", "$?#zz", ["bad"]],
    ["noise before a packet", "abc#12$?#3f", ["packet ?"]],
    ["an escaped character", "$}\x03#80", ["packet #"]],
    ["a packet that begins anew", "$abc$?#3f", ["packet ?"]],
    ["a packet that is too long", `$${"0".repeat(PACKET_BYTES + 1)}#00$?#3f`, ["bad", "packet ?"]],
  ];

for (const [what, sent, expected] of TRANSCRIPTS) {
  Deno.test(`${what} is read, in one piece and byte by byte`, () => {
    const told = (pieces: readonly Uint8Array[]) => {
      const reader = new PacketReader();
      return pieces.flatMap((piece) => [...reader.read(piece)])
        .map((each) => each.kind === "packet" ? `packet ${each.data}` : each.kind);
    };
    assertEquals(told([bytes(sent)]), expected);
    assertEquals(told([...bytes(sent)].map((byte) => Uint8Array.of(byte))), expected);
  });
}

Deno.test("what is written is read as it was", () => {
  const data = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  assertEquals([...new PacketReader().read(writePacket(data))], [{ kind: "packet", data }]);
});

Deno.test("digits that are none are told", () => {
  assertEquals(toHex(Uint8Array.of(0, 0xab)), "00ab");
  assertEquals([fromHex("0"), fromHex("0g"), fromHex("")], [null, null, new Uint8Array()]);
  assertEquals([hexNumber(""), hexNumber("0x1"), hexNumber("ff")], [null, null, 255n]);
  assertEquals(hexNumber("1".repeat(17)), null);
});
