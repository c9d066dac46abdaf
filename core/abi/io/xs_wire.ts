/** XenStore's wire protocol and the page with its two byte streams. Source: Xen 4.17's `io/xs_wire.h`. */

import { array, defineStruct } from "../struct_layout.ts";

/** Types of messages (`XS_*`). */
export const XS = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
} as const;

/** The header of every message; a payload of `len` bytes follows. */
export const XSD_SOCKMSG = defineStruct("xsd_sockmsg", 16, {
  type: "u32",
  req_id: "u32",
  tx_id: "u32",
  len: "u32",
});

/** Limits in bytes; a longer payload is a violation of the protocol, a longer path an error. */
export const XENSTORE_LIMITS = { payload: 4096, absolutePath: 3072, relativePath: 2048 } as const;

/** The page: requests of the guest, responses and watch events for it, and their counters. */
export const XENSTORE_DOMAIN_INTERFACE = defineStruct("xenstore_domain_interface", 2076, {
  req: array("u8", 1024),
  rsp: array("u8", 1024),
  req_cons: "u32",
  req_prod: "u32",
  rsp_cons: "u32",
  rsp_prod: "u32",
  server_features: "u32",
  connection: "u32",
  error: "u32",
});

/** Values of the page's field `error`. */
export const XENSTORE_ERROR = { NONE: 0, COMM: 1, RINGIDX: 2, PROTO: 3 } as const;
