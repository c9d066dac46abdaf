/** What runs the guest image: this project's machine, or another emulator as a child process. */

import type { GuestImage } from "../guest/image.ts";

/** Wall times of the kernels of one image, by name, in milliseconds. */
export type KernelTimes = ReadonlyMap<string, number>;

/** An emulator that can be measured. */
export interface MeasuredEngine {
  readonly name: string;
  readonly bits: readonly (32 | 64)[];
  /** Scale of the image, so that a fast engine has enough to do. */
  readonly scale: number;
  /** Whether it is installed. */
  available(): Promise<boolean>;
  /** Runs the image to its end. Rejects if the image stops or the signal fires. */
  run(image: GuestImage, signal: AbortSignal): Promise<KernelTimes>;
}
