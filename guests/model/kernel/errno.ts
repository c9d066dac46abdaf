/** Error numbers that system calls return, negated: Xen's own and those that Linux adds (`asm-i386/errno.h`). */

import { ERRNO as XEN_ERRNO } from "../../../core/abi/errno.ts";

/** Every error number by name, negated. */
export const ERRNO = {
  ...XEN_ERRNO,
  ENOTTY: -25,
  EFBIG: -27,
  ESPIPE: -29,
  EPIPE: -32,
  EDESTADDRREQ: -89,
  EMSGSIZE: -90,
  ENETUNREACH: -101,
  ECONNABORTED: -103,
  ECONNRESET: -104,
  EINPROGRESS: -115,
} as const;
