/**
 * A name server for a handful of names (RFC 1035): addresses of type A; other types of a known name have no records,
 * unknown names do not exist.
 */

import type { Ipv4Address } from "../net/mod.ts";

/** The UDP port of name servers. */
export const DNS_PORT = 53;

const HEADER_BYTES = 12;
const TYPE_A = 1;
const CLASS_IN = 1;
const FLAG = { RESPONSE: 0x8000, AUTHORITATIVE: 0x0400, RECURSION_AVAILABLE: 0x0080 } as const;
/** What of a query's flags an answer repeats: the kind of query, and that recursion is wanted. */
const REPEATED_FLAGS = 0x7900;
const RCODE = { NO_ERROR: 0, FORMAT_ERROR: 1, NAME_ERROR: 3, NOT_IMPLEMENTED: 4 } as const;
/** How long an answer may be kept, in seconds. */
const TIME_TO_LIVE = 60;

/** Answers the payload of a datagram to port 53; `null` to what is no query. Names are in lower case. */
export function answerDns(
  query: Uint8Array,
  names: ReadonlyMap<string, Ipv4Address>,
): Uint8Array | null {
  if (query.length < HEADER_BYTES) return null;
  const view = new DataView(query.buffer, query.byteOffset, query.byteLength);
  const flags = view.getUint16(2);
  if (flags & FLAG.RESPONSE) return null;
  if ((flags & 0x7800) !== 0) return reply(query, flags, RCODE.NOT_IMPLEMENTED, 0, null);
  const name = view.getUint16(4) === 1 ? readName(query) : null;
  if (!name || name.end + 4 > query.length) {
    return reply(query, flags, RCODE.FORMAT_ERROR, 0, null);
  }
  const questionEnd = name.end + 4;
  const wantsAddress = view.getUint16(name.end) === TYPE_A &&
    view.getUint16(name.end + 2) === CLASS_IN;
  const address = names.get(name.text);
  if (address === undefined) return reply(query, flags, RCODE.NAME_ERROR, questionEnd, null);
  return reply(query, flags, RCODE.NO_ERROR, questionEnd, wantsAddress ? address : null);
}

/** The question's name, in lower case, and where it ends; `null` if it is malformed. */
function readName(query: Uint8Array): { readonly text: string; readonly end: number } | null {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  while (at < query.length && query[at] !== 0) {
    const length = query[at];
    if (length > 63 || at + 1 + length > query.length) return null;
    labels.push(String.fromCharCode(...query.subarray(at + 1, at + 1 + length)).toLowerCase());
    at += 1 + length;
  }
  return at < query.length ? { text: labels.join("."), end: at + 1 } : null;
}

function reply(
  query: Uint8Array,
  queryFlags: number,
  rcode: number,
  questionEnd: number,
  address: Ipv4Address | null,
): Uint8Array {
  const question = query.subarray(HEADER_BYTES, Math.max(HEADER_BYTES, questionEnd));
  const bytes = new Uint8Array(HEADER_BYTES + question.length + (address === null ? 0 : 16));
  const view = new DataView(bytes.buffer);
  bytes.set(query.subarray(0, 2));
  const flags = FLAG.RESPONSE | FLAG.AUTHORITATIVE | FLAG.RECURSION_AVAILABLE |
    (queryFlags & REPEATED_FLAGS) | rcode;
  view.setUint16(2, flags);
  view.setUint16(4, question.length > 0 ? 1 : 0);
  view.setUint16(6, address === null ? 0 : 1);
  bytes.set(question, HEADER_BYTES);
  if (address === null) return bytes;
  const record = HEADER_BYTES + question.length;
  view.setUint16(record, 0xc000 | HEADER_BYTES); // the question's name
  view.setUint16(record + 2, TYPE_A);
  view.setUint16(record + 4, CLASS_IN);
  view.setUint32(record + 6, TIME_TO_LIVE);
  view.setUint16(record + 10, 4);
  view.setUint32(record + 12, address);
  return bytes;
}
