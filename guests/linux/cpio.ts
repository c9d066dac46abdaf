/**
 * The "newc" cpio format that the kernel unpacks as initramfs: writer and reader.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 */

import { BootError } from "./boot_error.ts";
import { concatBytes, utf8 } from "./layout.ts";

/** What all entries have. */
interface CpioCommon {
  /** Path without a leading slash, for example `bin/sh`. */
  readonly path: string;
  /** Permission bits; each kind has its default. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** One entry of an archive. */
export type CpioEntry =
  & CpioCommon
  & (
    | { readonly kind: "file"; readonly data: Uint8Array }
    | { readonly kind: "directory" }
    | { readonly kind: "symlink"; readonly target: string }
    | { readonly kind: "character" | "block"; readonly major: number; readonly minor: number }
    | { readonly kind: "fifo" }
  );

/** How an archive is written. */
export interface CpioOptions {
  /** Modification time of every entry in seconds since 1970; default 0, so that equal input gives equal bytes. */
  readonly mtime?: number;
  /** Whether missing parent directories are added; default true. */
  readonly parents?: boolean;
}

/** S_IFMT bits and default permissions by kind (inode(7)). */
const kinds = {
  fifo: { type: 0o010000, mode: 0o644 },
  character: { type: 0o020000, mode: 0o600 },
  directory: { type: 0o040000, mode: 0o755 },
  block: { type: 0o060000, mode: 0o600 },
  file: { type: 0o100000, mode: 0o644 },
  symlink: { type: 0o120000, mode: 0o777 },
} as const;

/** The fields of a header after its magic number, each of eight hexadecimal digits. */
const headerFields = [
  "ino",
  "mode",
  "uid",
  "gid",
  "nlink",
  "mtime",
  "filesize",
  "maj",
  "min",
  "rmaj",
  "rmin",
  "namesize",
  "chksum",
] as const;

type Header = Record<typeof headerFields[number], number>;

const MAGIC = "070701";
const MAGIC_CHECKSUM = "070702";
const HEADER_BYTES = MAGIC.length + headerFields.length * 8;
const TRAILER = "TRAILER!!!";
const ARCHIVE_ALIGN = 512;
/** The kernel's N_ALIGN bound on names (PATH_MAX). */
const PATH_LIMIT = 4096;

/**
 * Writes `entries` in their order, as the kernel wants directories before what is in them. Throws
 * `RangeError` for an empty, absolute or repeated path.
 */
export function writeCpio(
  entries: readonly CpioEntry[],
  options: CpioOptions = {},
): Uint8Array<ArrayBuffer> {
  const all = options.parents === false ? [...entries] : withParents(entries);
  const seen = new Set<string>();
  const parts: Uint8Array[] = [];
  all.forEach((entry, index) => {
    checkPath(entry.path, seen);
    parts.push(...record(entry, index + 1, options.mtime ?? 0));
  });
  parts.push(...rawRecord(emptyHeader(), TRAILER, new Uint8Array(0)));
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(new Uint8Array(padding(length, ARCHIVE_ALIGN)));
  return concatBytes(parts);
}

/**
 * Reads the entries of one archive or of several behind each other, padded with zeros. Throws
 * {@link BootError} if the archive is truncated or not newc.
 */
export function readCpio(archive: Uint8Array): CpioEntry[] {
  const entries: CpioEntry[] = [];
  let offset = 0;
  while (offset < archive.length) {
    if (archive[offset] === 0) {
      offset++;
      continue;
    }
    const { header, path, data, next } = readRecord(archive, offset);
    offset = next;
    if (path !== TRAILER) entries.push(toEntry(header, path, data));
  }
  return entries;
}

/** `entries` with a directory entry before the first thing in each directory that lacks one. */
function withParents(entries: readonly CpioEntry[]): CpioEntry[] {
  const given = new Set(entries.map(({ path }) => path));
  const result: CpioEntry[] = [];
  for (const entry of entries) {
    const names = entry.path.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      const path = names.slice(0, depth).join("/");
      if (given.has(path)) continue;
      given.add(path);
      result.push({ kind: "directory", path });
    }
    result.push(entry);
  }
  return result;
}

function checkPath(path: string, seen: Set<string>): void {
  if (path === "" || path.startsWith("/") || path.includes("\0") || path.length >= PATH_LIMIT) {
    throw new RangeError(
      `cpio path ${JSON.stringify(path)}: expected a relative path of 1 to ${
        PATH_LIMIT - 1
      } characters`,
    );
  }
  if (seen.has(path)) throw new RangeError(`cpio path ${JSON.stringify(path)} occurs twice`);
  seen.add(path);
}

function emptyHeader(): Header {
  return Object.fromEntries(headerFields.map((field) => [field, 0])) as Header;
}

function record(entry: CpioEntry, ino: number, mtime: number): Uint8Array[] {
  const { type, mode } = kinds[entry.kind];
  const header = emptyHeader();
  header.ino = ino;
  header.mode = type | (entry.mode ?? mode);
  header.uid = entry.uid ?? 0;
  header.gid = entry.gid ?? 0;
  header.nlink = entry.kind === "directory" ? 2 : 1;
  header.mtime = mtime;
  if (entry.kind === "character" || entry.kind === "block") {
    header.rmaj = entry.major;
    header.rmin = entry.minor;
  }
  return rawRecord(header, entry.path, entryData(entry));
}

function entryData(entry: CpioEntry): Uint8Array {
  if (entry.kind === "file") return entry.data;
  return entry.kind === "symlink" ? utf8(entry.target) : new Uint8Array(0);
}

/** Header, name and data, the latter two padded to four bytes. */
function rawRecord(header: Header, path: string, data: Uint8Array): Uint8Array[] {
  const name = concatBytes([utf8(path), new Uint8Array(1)]);
  const full = { ...header, namesize: name.length, filesize: data.length };
  const digits = headerFields.map((field) => full[field].toString(16).padStart(8, "0")).join("");
  return [
    utf8(MAGIC + digits),
    name,
    new Uint8Array(padding(HEADER_BYTES + name.length, 4)),
    data,
    new Uint8Array(padding(data.length, 4)),
  ];
}

/** How many bytes bring `length` to a multiple of `align`. */
function padding(length: number, align: number): number {
  return (align - length % align) % align;
}

function readRecord(archive: Uint8Array, offset: number) {
  const magic = latin1(take(archive, offset, MAGIC.length));
  if (magic !== MAGIC && magic !== MAGIC_CHECKSUM) {
    throw new BootError(
      `cpio archive has magic ${
        JSON.stringify(magic)
      } at byte ${offset}, expected "${MAGIC}" (newc)`,
    );
  }
  const header = emptyHeader();
  headerFields.forEach((field, index) => {
    const text = latin1(take(archive, offset + MAGIC.length + index * 8, 8));
    if (!/^[0-9a-fA-F]{8}$/.test(text)) {
      throw new BootError(
        `cpio archive is corrupt: field ${field} at byte ${offset} is ${JSON.stringify(text)}, ` +
          "expected eight hexadecimal digits",
      );
    }
    header[field] = parseInt(text, 16);
  });
  const nameAt = offset + HEADER_BYTES;
  const name = take(archive, nameAt, header.namesize);
  const dataAt = nameAt + header.namesize + padding(HEADER_BYTES + header.namesize, 4);
  const data = take(archive, dataAt, header.filesize);
  const path = fromUtf8(name.subarray(0, -1));
  return { header, path, data, next: dataAt + header.filesize + padding(header.filesize, 4) };
}

function take(archive: Uint8Array, offset: number, length: number): Uint8Array {
  if (offset + length > archive.length) {
    throw new BootError(
      `cpio archive is truncated: expected ${length} bytes at byte ${offset}, ` +
        `but it ends at ${archive.length}`,
    );
  }
  return archive.subarray(offset, offset + length);
}

function toEntry(header: Header, path: string, data: Uint8Array): CpioEntry {
  const type = header.mode & 0o170000;
  const common = { path, mode: header.mode & 0o7777, uid: header.uid, gid: header.gid };
  switch (type) {
    case kinds.file.type:
      return { ...common, kind: "file", data };
    case kinds.directory.type:
      return { ...common, kind: "directory" };
    case kinds.symlink.type:
      return { ...common, kind: "symlink", target: fromUtf8(data) };
    case kinds.character.type:
      return { ...common, kind: "character", major: header.rmaj, minor: header.rmin };
    case kinds.block.type:
      return { ...common, kind: "block", major: header.rmaj, minor: header.rmin };
    case kinds.fifo.type:
      return { ...common, kind: "fifo" };
    default:
      throw new BootError(`cpio entry ${path} has the unknown type 0o${type.toString(8)}`);
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** The text of UTF-8 bytes (host-free twin of `TextDecoder`); text that is not UTF-8 stays Latin-1. */
function fromUtf8(bytes: Uint8Array): string {
  const escaped = latin1(bytes).replace(
    /[%\x80-\xff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  try {
    return decodeURIComponent(escaped);
  } catch {
    return latin1(bytes);
  }
}
