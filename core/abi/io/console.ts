/** The paravirtual console's page: two byte streams. Source: Xen 4.17's `io/console.h`. */

import { array, defineStruct } from "../struct_layout.ts";

/** Input to the guest, output of the guest, and their counters. */
export const XENCONS_INTERFACE = defineStruct("xencons_interface", 3088, {
  in: array("u8", 1024),
  out: array("u8", 2048),
  in_cons: "u32",
  in_prod: "u32",
  out_cons: "u32",
  out_prod: "u32",
});
