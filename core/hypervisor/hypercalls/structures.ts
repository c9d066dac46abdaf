/** Structures of the ABI in a caller's memory. */

import type { Fields, StructLayout, StructValue } from "../../abi/struct_layout.ts";
import type { Caller } from "./caller.ts";

/** The structure at linear address `address`, or `null` if it cannot be read. */
export function readStruct<F extends Fields>(
  { guest }: Caller,
  layout: StructLayout<F>,
  address: number,
): StructValue<F> | null {
  const bytes = new Uint8Array(layout.sizeBytes());
  return guest.read(address, bytes) ? layout.read(bytes) : null;
}

/** Stores a structure at linear address `address`; false if it cannot be written. */
export function writeStruct<F extends Fields>(
  { guest }: Caller,
  layout: StructLayout<F>,
  address: number,
  value: Partial<StructValue<F>>,
): boolean {
  return guest.write(address, layout.toBytes(value));
}
