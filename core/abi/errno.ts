/** Error numbers of the ABI. Hypercalls return them negated. Source: Xen 4.17's `errno.h`. */

import type { Brand } from "../lib/brand.ts";

/** A negated error number, as a hypercall returns it. */
export type Errno = Brand<number, "Errno">;

/** Every error number by name, negated: what a hypercall returns for it. */
export const ERRNO = {
  EPERM: -1 as Errno,
  ENOENT: -2 as Errno,
  ESRCH: -3 as Errno,
  EINTR: -4 as Errno,
  EIO: -5 as Errno,
  ENXIO: -6 as Errno,
  E2BIG: -7 as Errno,
  ENOEXEC: -8 as Errno,
  EBADF: -9 as Errno,
  ECHILD: -10 as Errno,
  EAGAIN: -11 as Errno,
  EWOULDBLOCK: -11 as Errno,
  ENOMEM: -12 as Errno,
  EACCES: -13 as Errno,
  EFAULT: -14 as Errno,
  EBUSY: -16 as Errno,
  EEXIST: -17 as Errno,
  EXDEV: -18 as Errno,
  ENODEV: -19 as Errno,
  ENOTDIR: -20 as Errno,
  EISDIR: -21 as Errno,
  EINVAL: -22 as Errno,
  ENFILE: -23 as Errno,
  EMFILE: -24 as Errno,
  ENOSPC: -28 as Errno,
  EROFS: -30 as Errno,
  EMLINK: -31 as Errno,
  EDOM: -33 as Errno,
  ERANGE: -34 as Errno,
  EDEADLK: -35 as Errno,
  EDEADLOCK: -35 as Errno,
  ENAMETOOLONG: -36 as Errno,
  ENOLCK: -37 as Errno,
  ENOSYS: -38 as Errno,
  ENOTEMPTY: -39 as Errno,
  ENODATA: -61 as Errno,
  ETIME: -62 as Errno,
  EBADMSG: -74 as Errno,
  EOVERFLOW: -75 as Errno,
  EILSEQ: -84 as Errno,
  ERESTART: -85 as Errno,
  ENOTSOCK: -88 as Errno,
  EMSGSIZE: -90 as Errno,
  EOPNOTSUPP: -95 as Errno,
  EADDRINUSE: -98 as Errno,
  EADDRNOTAVAIL: -99 as Errno,
  ENOBUFS: -105 as Errno,
  EISCONN: -106 as Errno,
  ENOTCONN: -107 as Errno,
  ETIMEDOUT: -110 as Errno,
  ECONNREFUSED: -111 as Errno,
} as const satisfies Readonly<Record<string, Errno>>;

const NAMES = new Map<number, string>(
  Object.entries(ERRNO).map(([name, value]): [number, string] => [value, name]).reverse(),
);

/** Whether the outcome of an operation is an error rather than a value; values are never negative. */
export function isErrno(outcome: unknown): outcome is Errno {
  return typeof outcome === "number" && outcome < 0;
}

/** The name of a negated error number, for traces and messages; the number itself if it has none. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? String(errno);
}
