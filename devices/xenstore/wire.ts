/**
 * XenStore's wire protocol: requests become typed, results become replies.
 *
 * Source: `docs/misc/xenstore.txt` of Xen ("|" there is a zero byte here) and `io/xs_wire.h`. A
 * malformed request is answered EINVAL, one of an unknown type ENOSYS.
 *
 * @deviation CONTROL, RESUME and SET_TARGET are answered ENOSYS; `docs/misc/xenstore.txt`, "Domain management
 * and xenstored communications" and "Miscellaneous".
 */

import type { DomainId } from "../../core/abi/ids.ts";
import { XENSTORE_LIMITS, XS, XSD_SOCKMSG } from "../../core/abi/io/xs_wire.ts";
import {
  formatPermission,
  parsePermission,
  type Permission,
  type Permissions,
} from "./permissions.ts";
import type { StoreSession, WatchEvent } from "./session.ts";
import { StoreError, storeError } from "./store_error.ts";
import { bytesOf, splitTerminated, textOf } from "./text.ts";

/** A message's header. */
export interface Header {
  readonly type: number;
  readonly req_id: number;
  readonly tx_id: number;
  readonly len: number;
}

/** What a request is answered with: bytes, an error, or `null` for "OK". */
type Answer = Uint8Array | StoreError | null;
/** A request's parts that zero bytes ended. */
type Strings = readonly string[];

interface Operation {
  /** How many strings the request has; further ones are ignored. */
  readonly strings: number;
  run(session: StoreSession, strings: Strings, transaction: number): Answer;
}

/** Requests whose payload is strings, each ended by a zero byte. */
const OPERATIONS = new Map<number, Operation>([
  [XS.DIRECTORY, { strings: 1, run: (session, [path], tx) => directory(session, path, tx) }],
  [XS.DIRECTORY_PART, { strings: 2, run: directoryPart }],
  [XS.READ, { strings: 1, run: (session, [path], tx) => session.read(path, tx) }],
  [XS.MKDIR, { strings: 1, run: (session, [path], tx) => session.mkdir(path, tx) }],
  [XS.RM, { strings: 1, run: (session, [path], tx) => session.remove(path, tx) }],
  [XS.GET_PERMS, { strings: 1, run: getPermissions }],
  [XS.SET_PERMS, { strings: 2, run: setPermissions }],
  [XS.WATCH, { strings: 2, run: (session, [path, token]) => session.watch(path, token) }],
  [XS.UNWATCH, { strings: 2, run: (session, [path, token]) => session.unwatch(path, token) }],
  [XS.RESET_WATCHES, { strings: 1, run: (session) => (session.resetWatches(), null) }],
  [XS.TRANSACTION_START, { strings: 1, run: startTransaction }],
  [XS.TRANSACTION_END, { strings: 1, run: endTransaction }],
  [XS.INTRODUCE, { strings: 3, run: ofDomain((session, domain) => session.introduce(domain)) }],
  [XS.RELEASE, { strings: 1, run: ofDomain((session, domain) => session.release(domain)) }],
  [XS.GET_DOMAIN_PATH, {
    strings: 1,
    run: ofDomain((session, domain) => bytesOf(`${session.domainPath(domain)}\0`)),
  }],
  [XS.IS_DOMAIN_INTRODUCED, {
    strings: 1,
    run: ofDomain((session, domain) => bytesOf(session.isIntroduced(domain) ? "T\0" : "F\0")),
  }],
]);

/** Carries out a request and makes the reply's bytes, header and all. */
export function answer(session: StoreSession, header: Header, payload: Uint8Array): Uint8Array {
  const result = fit(execute(session, header, payload));
  if (result instanceof StoreError) {
    return message({ ...header, type: XS.ERROR }, bytesOf(`${result.name}\0`));
  }
  return message(header, result ?? bytesOf("OK\0"));
}

/** A watch event's message. */
export function eventMessage({ path, token }: WatchEvent): Uint8Array {
  const header = { type: XS.WATCH_EVENT, req_id: 0, tx_id: 0, len: 0 };
  const payload = bytesOf(`${path}\0${token}\0`);
  return message(header, payload.subarray(0, XENSTORE_LIMITS.payload));
}

function execute(session: StoreSession, header: Header, payload: Uint8Array): Answer {
  if (header.type === XS.WRITE) return write(session, payload, header.tx_id);
  const operation = OPERATIONS.get(header.type);
  if (!operation) return storeError("ENOSYS");
  const strings = splitTerminated(payload);
  if (!strings || strings.length < operation.strings) return storeError("EINVAL");
  return operation.run(session, strings, header.tx_id);
}

/** A path that a zero byte ends, then the value up to the end. */
function write(session: StoreSession, payload: Uint8Array, transaction: number): Answer {
  const end = payload.indexOf(0);
  if (end < 0) return storeError("EINVAL");
  const path = textOf(payload.subarray(0, end));
  return session.write(path, payload.slice(end + 1), transaction);
}

function directory(session: StoreSession, path: string, transaction: number): Answer {
  const found = session.directory(path, transaction);
  return found instanceof StoreError ? found : namesBytes(found.names);
}

/** The children's names from a byte offset on, as many as fit; an empty name says that these are the last. */
function directoryPart(
  session: StoreSession,
  [path, offset]: Strings,
  transaction: number,
): Answer {
  if (!/^\d+$/.test(offset)) return storeError("EINVAL");
  const found = session.directory(path, transaction);
  if (found instanceof StoreError) return found;
  const all = namesBytes(found.names);
  const generation = bytesOf(`${found.generation}\0`);
  const from = Number(offset);
  const room = XENSTORE_LIMITS.payload - generation.length - 1;
  const rest = all.subarray(from);
  if (rest.length <= room) return joined(generation, rest, new Uint8Array(1));
  const cut = rest.subarray(0, room).lastIndexOf(0);
  return joined(generation, rest.subarray(0, cut + 1));
}

function namesBytes(names: readonly string[]): Uint8Array {
  return bytesOf(names.map((name) => `${name}\0`).join(""));
}

function getPermissions(session: StoreSession, [path]: Strings, transaction: number): Answer {
  const found = session.getPermissions(path, transaction);
  if (found instanceof StoreError) return found;
  return bytesOf(found.map((each) => `${formatPermission(each)}\0`).join(""));
}

function setPermissions(
  session: StoreSession,
  [path, ...texts]: Strings,
  transaction: number,
): Answer {
  const permissions = texts.map(parsePermission);
  if (!isComplete(permissions)) return storeError("EINVAL");
  return session.setPermissions(path, permissions, transaction);
}

function isComplete(list: readonly (Permission | null)[]): list is Permissions {
  return list.length > 0 && list.every((each) => each !== null);
}

function startTransaction(session: StoreSession, _strings: Strings, transaction: number): Answer {
  if (transaction !== 0) return storeError("EBUSY");
  const id = session.startTransaction();
  return id instanceof StoreError ? id : bytesOf(`${id}\0`);
}

function endTransaction(
  session: StoreSession,
  [outcome]: Strings,
  transaction: number,
): Answer {
  if (outcome !== "T" && outcome !== "F") return storeError("EINVAL");
  return session.endTransaction(transaction, outcome === "T" ? "commit" : "abort");
}

/** An operation on the domain that the first string names. */
function ofDomain(run: (session: StoreSession, domain: DomainId) => Answer): Operation["run"] {
  return (session, [text]) => {
    if (!/^\d{1,5}$/.test(text) || Number(text) > 0x7fff) return storeError("EINVAL");
    return run(session, Number(text) as DomainId);
  };
}

/** What is too long for a message is an error instead. */
function fit(result: Answer): Answer {
  const tooLong = result instanceof Uint8Array && result.length > XENSTORE_LIMITS.payload;
  return tooLong ? storeError("E2BIG") : result;
}

function message({ type, req_id, tx_id }: Header, payload: Uint8Array): Uint8Array {
  const header = XSD_SOCKMSG.toBytes({ type, req_id, tx_id, len: payload.length });
  return joined(header, payload);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
