import { assertEquals } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { type Ipv4Address, parseIpv4 } from "../net/mod.ts";
import { answerDns } from "./dns.ts";

const NAMES = new Map<string, Ipv4Address>([["www.example.org", parseIpv4("192.0.2.80")]]);

function query(name: string, type = 1, flags = 0x0100): Uint8Array {
  const labels = name.split(".").flatMap((label) => [
    label.length,
    ...[...label].map((letter) => letter.charCodeAt(0)),
  ]);
  const header = [0x12, 0x34, flags >> 8, flags & 0xff, 0, 1, 0, 0, 0, 0, 0, 0];
  return new Uint8Array([...header, ...labels, 0, 0, type, 0, 1]);
}

/** Flags, questions, answers, and the last four bytes of an answer. */
function shown(answer: Uint8Array | null) {
  if (!answer) return null;
  const view = new DataView(answer.buffer);
  const head = [view.getUint16(0), view.getUint16(2), view.getUint16(4), view.getUint16(6)];
  return [...head, ...(view.getUint16(6) > 0 ? answer.slice(-4) : [])];
}

const CASES: [claim: string, query: Uint8Array, expected: number[] | null][] = [
  ["a known name has its address", query("WWW.example.ORG"), [0x1234, 0x8580, 1, 1, 192, 0, 2, 80]],
  ["a known name has no IPv6 address", query("www.example.org", 28), [0x1234, 0x8580, 1, 0]],
  ["an unknown name does not exist", query("example.net"), [0x1234, 0x8583, 1, 0]],
  ["an answer is no query", query("example.net", 1, 0x8000), null],
  ["an update is not implemented", query("example.net", 1, 0x2800), [0x1234, 0xac84, 0, 0]],
  ["a name that is cut off is malformed", query("example.net").slice(0, 16), [
    0x1234,
    0x8581,
    0,
    0,
  ]],
  ["a label that is too long is malformed", query("a".repeat(64)), [0x1234, 0x8581, 0, 0]],
  ["less than a header is nothing", new Uint8Array(11), null],
];

for (const [claim, bytes, expected] of CASES) {
  test(claim, () => assertEquals(shown(answerDns(bytes, NAMES)), expected));
}
