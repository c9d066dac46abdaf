/** Errors of XenStore: names that the protocol carries as text (`xsd_errors` of `io/xs_wire.h`). */

/** An error's name. */
export type StoreErrorName =
  | "EINVAL"
  | "EACCES"
  | "EEXIST"
  | "ENOENT"
  | "ENOSPC"
  | "ENOTEMPTY"
  | "ENOSYS"
  | "EBUSY"
  | "EAGAIN"
  | "E2BIG"
  | "EPERM";

/** The outcome of an operation that failed: a value, never thrown. */
export class StoreError {
  constructor(readonly name: StoreErrorName) {}

  toString(): string {
    return this.name;
  }
}

/** Makes an error. */
export function storeError(name: StoreErrorName): StoreError {
  return new StoreError(name);
}
