/**
 * What a Linux 2.4 does every 5 seconds even if nobody asks anything of it: the kernel thread `kupdated` looks for buffers that
 * are due (`bdf_prm.b_un.interval` in `fs/buffer.c`). A system that idles is never quite at rest.
 */

import { call, compute, type Program } from "../kernel/action.ts";

const INTERVAL_SECONDS = 5;
/** `sync_old_buffers` with nothing to write: the superblocks and three lists looked at. */
const LOOK_CYCLES = 20_000;

/** For a kernel whose clock has so many cycles a second. */
export function kupdated(frequencyHz: number): Program {
  const cycles = INTERVAL_SECONDS * frequencyHz;
  return {
    name: "kupdated",
    steps: {
      begin: () => call("nanosleep", { cycles }, "look"),
      look: () => compute(LOOK_CYCLES, "begin"),
    },
  };
}
