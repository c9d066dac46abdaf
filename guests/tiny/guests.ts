/** The list of tiny guests, from the simplest on. */

import { hello32 } from "./hello32.ts";
import { hello64 } from "./hello64.ts";
import { rings64 } from "./rings64.ts";
import { smp64 } from "./smp64.ts";
import type { TinyGuest } from "./tiny_guest.ts";

/** Every tiny guest. */
export const tinyGuests: readonly TinyGuest[] = [hello32, hello64, rings64, smp64];
