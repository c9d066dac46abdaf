/** `/dev/zero` and `/dev/null`: files without anything behind them. */

import type { Arguments } from "./action.ts";
import type { Descriptors } from "./descriptors.ts";
import { ERRNO } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import type { CallContext, KernelModule, Outcome } from "./module.ts";

/** Cycles of the kernel's own instructions. */
const WORK = { open: 1200, transfer: 100 };

/** See the module comment. */
export class CharacterDevices implements KernelModule {
  readonly name = "character devices";
  readonly calls = {
    /** `{ name }`: `zero` or `null`; returns a descriptor. */
    open_device: (context: CallContext, args: Arguments) => this.#open(context, args),
  };

  constructor(private readonly kernel: Kernel, private readonly descriptors: Descriptors) {
    const close = () => {};
    descriptors.addKind({
      name: "zero",
      read: (_context, _file, { bytes }) => this.#clear(Number(bytes)),
      write: (_context, _file, { bytes }) => this.#discard(Number(bytes)),
      close,
    });
    descriptors.addKind({
      name: "null",
      read: () => this.#discard(0),
      write: (_context, _file, { bytes }) => this.#discard(Number(bytes)),
      close,
    });
  }

  #open({ process }: CallContext, { name }: Arguments): Outcome {
    this.kernel.work(WORK.open);
    if (name !== "zero" && name !== "null") return ERRNO.ENOENT;
    return this.descriptors.open(process, name, 0);
  }

  #clear(bytes: number): number {
    this.kernel.charge("userCopies");
    this.kernel.charge("copiedBytes", bytes / 2);
    return this.#discard(bytes);
  }

  #discard(bytes: number): number {
    this.kernel.work(WORK.transfer);
    this.kernel.charge("calls", 2);
    this.kernel.charge("locked", 2);
    return bytes;
  }
}
