/**
 * The log of what a machine or a host is given: a file that is only ever added to, so that what was written before a crash stays.
 *
 * ```text
 *  0  12  "XENARIUMLOG" and a zero
 * 12   4  version
 * 16      records: u32 length, u32 CRC-32 of the payload, payload (see record_codec.ts)
 * ```
 *
 * Each record is written by itself, in one piece. After a crash of this process the log is whole; after one of the host
 * its last record may be there in part: it is then left out, which the reader is told.
 */

import { crc32 } from "node:zlib";
import type { Cycle } from "../../core/clock/clock.ts";
import { SnapshotError, type SnapshotValue } from "../../core/lib/snapshot.ts";
import { decodeValue, encodeValue } from "../snapshot/record_codec.ts";
import type { LoggedInput } from "./input_journal.ts";

const MAGIC = "XENARIUMLOG\0";
const VERSION = 1;
const HEADER_BYTES = 16;
const RECORD_HEADER_BYTES = 8;

/** What a log can be of, and who reads it; logs that do not say it are of machines. */
const READERS = { machine: "replay", host: "replayHost" } as const;

/** What a log is of. */
export type LogSubject = keyof typeof READERS;

/** From what a recorded machine or host began. */
export interface LogStart {
  readonly kind: "start";
  readonly subject?: LogSubject;
  readonly name: string;
  readonly cycle: Cycle;
  readonly hash: string;
  /** The digest of the snapshot that it began from, or `null` if it was switched on. */
  readonly snapshot: string | null;
  /** Of a machine that was switched on: its options, and the SHA-256 of each image that they name. */
  readonly options: { readonly [name: string]: SnapshotValue };
  readonly images: readonly string[];
}

/** The trace hash at a cycle. */
export interface LogMark {
  readonly cycle: Cycle;
  readonly hash: string;
}

/** One record. */
export type LogRecord =
  | LogStart
  | { readonly kind: "input" } & LoggedInput
  /** The machine was sent back to `cycle` and got something else: all but the first `inputs` inputs are given up. */
  | { readonly kind: "back"; readonly cycle: Cycle; readonly inputs: number }
  /** A state digest has entered the trace. */
  | { readonly kind: "mark" } & LogMark
  /** The recording was ended. */
  | { readonly kind: "end" } & LogMark;

/** A log as it counts. */
export interface ReplayLog {
  readonly start: LogStart;
  readonly inputs: readonly LoggedInput[];
  readonly marks: readonly LogMark[];
  /** Where it was ended, or `null`: the process did not live to see that. */
  readonly end: LogMark | null;
  /** Bytes of a record at its end that is not whole; 0 if all are. */
  readonly tornBytes: number;
}

/** The records of a log behind its first. */
export interface LogContent<Entry> {
  readonly start: LogStart;
  readonly entries: readonly Entry[];
  /** Bytes of a record at its end that is not whole; 0 if all are. */
  readonly tornBytes: number;
}

/** Writes a log. */
export class LogWriter {
  readonly #file: Deno.FsFile;

  /** Begins a log in `path`, in the place of what was there. */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
    const header = new Uint8Array(HEADER_BYTES);
    header.set(new TextEncoder().encode(MAGIC));
    new DataView(header.buffer).setUint32(MAGIC.length, VERSION, true);
    this.#write(header);
  }

  append(record: object): void {
    const payload = encodeValue(record as SnapshotValue);
    const bytes = new Uint8Array(RECORD_HEADER_BYTES + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, payload.length, true);
    view.setUint32(4, crc32(payload), true);
    bytes.set(payload, RECORD_HEADER_BYTES);
    this.#write(bytes);
  }

  close(): void {
    this.#file.close();
  }

  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
  }
}

/** What a log is of. Throws {@link SnapshotError} for what is none. */
export function subjectOf({ subject = "machine" }: LogStart): LogSubject {
  if (Object.hasOwn(READERS, subject)) return subject;
  throw new SnapshotError(`it is of a ${subject}, which this build does not know`);
}

/** Reads the records of a log. Throws {@link SnapshotError} that says what is wrong with it. */
export function readContent<Entry>(bytes: Uint8Array, expected?: LogSubject): LogContent<Entry> {
  checkHeader(bytes);
  const { records, tornBytes } = readRecords(bytes);
  const [start, ...entries] = records as [LogStart?, ...unknown[]];
  if (start?.kind !== "start") throw new SnapshotError("it does not say from what it begins");
  const subject = subjectOf(start);
  if (expected === undefined || subject === expected) {
    return { start, entries: entries as readonly Entry[], tornBytes };
  }
  throw new SnapshotError(
    `it is of a ${subject}, not of a ${expected}: ${READERS[subject]} reads it`,
  );
}

/** Reads the log of a machine. Throws {@link SnapshotError} that says what is wrong with it. */
export function readLog(bytes: Uint8Array): ReplayLog {
  const { start, entries, tornBytes } = readContent<LogRecord>(bytes, "machine");
  const inputs: LoggedInput[] = [];
  let marks: LogMark[] = [];
  let end: LogMark | null = null;
  for (const record of entries) {
    switch (record.kind) {
      case "start":
        throw new SnapshotError("it begins twice");
      case "input":
        inputs.push({ cycle: record.cycle, input: record.input });
        break;
      case "back":
        inputs.length = Math.min(inputs.length, record.inputs);
        marks = marks.filter(({ cycle }) => cycle <= record.cycle);
        break;
      case "mark":
        marks.push({ cycle: record.cycle, hash: record.hash });
        break;
      case "end":
        end = { cycle: record.cycle, hash: record.hash };
        break;
      default:
        throw new SnapshotError(`it has a record of kind ${(record as { kind: string }).kind}`);
    }
  }
  return { start, inputs, marks, end, tornBytes };
}

function checkHeader(bytes: Uint8Array): void {
  const magic = new TextDecoder().decode(bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC || bytes.length < HEADER_BYTES) {
    throw new SnapshotError("it is no log of Xenarium");
  }
  const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  if (version !== VERSION) {
    throw new SnapshotError(`it has version ${version}; this build reads version ${VERSION}`);
  }
}

function readRecords(bytes: Uint8Array): { records: unknown[]; tornBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: unknown[] = [];
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const tornBytes = bytes.length - at;
    if (tornBytes < RECORD_HEADER_BYTES) return { records, tornBytes };
    const length = view.getUint32(at, true);
    const next = at + RECORD_HEADER_BYTES + length;
    if (next > bytes.length) return { records, tornBytes };
    const payload = bytes.subarray(at + RECORD_HEADER_BYTES, next);
    if (crc32(payload) !== view.getUint32(at + 4, true)) {
      throw new SnapshotError(`it was altered: the CRC of the record at byte ${at} does not fit`);
    }
    records.push(decodeValue(payload));
    at = next;
  }
  return { records, tornBytes: 0 };
}

/** The cycle of a log's last word. */
export function lastCycle({ start, inputs, marks, end }: ReplayLog): Cycle {
  const known = [start, ...inputs.slice(-1), ...marks.slice(-1), ...(end ? [end] : [])];
  return Math.max(...known.map(({ cycle }) => cycle)) as Cycle;
}
