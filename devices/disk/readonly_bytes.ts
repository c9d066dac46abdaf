/** Where the contents of a disk or a CD come from: a port, and the bases that need no file. */

/** Random access to bytes that nobody changes; `testbed/` implements it over a file. */
export interface ReadonlyBytes {
  readonly sizeBytes: number;
  /** All of them are known to be zero. */
  readonly isBlank?: boolean;
  /** Fills `into` from `offset` (bytes); the range lies within `sizeBytes`. */
  read(offset: number, into: Uint8Array): void;
}

/** Where {@link DiskImage.commit} writes to. */
export interface WritableBytes {
  /** Stores `bytes` at `offset` (bytes). */
  write(offset: number, bytes: Uint8Array): void;
}

/** A base that holds `bytes` themselves (not a copy): small images built in memory. */
export function memoryBase(bytes: Uint8Array): ReadonlyBytes {
  return {
    sizeBytes: bytes.length,
    read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
  };
}

/** A base of `sizeBytes` zeros; throws `RangeError` unless that is a whole number of bytes. */
export function zeroBase(sizeBytes: number): ReadonlyBytes {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new RangeError(`a disk size must be a whole number of bytes, found ${sizeBytes}`);
  }
  return { sizeBytes, isBlank: true, read: (_offset, into) => into.fill(0) };
}
