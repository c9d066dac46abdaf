/** QEMU with TCG: a code generator in C. */

import { MEMORY_MIB } from "../guest/kernel.ts";
import type { MeasuredEngine } from "./engine.ts";
import { hasCommand, runProcess } from "./process.ts";

function qemu(bits: 32 | 64, command: string): MeasuredEngine {
  return {
    name: "QEMU TCG",
    bits: [bits],
    scale: 8,
    available: () => hasCommand(command),
    run: (image, signal) =>
      runProcess(
        command,
        [
          ...["-accel", "tcg", "-m", String(MEMORY_MIB), "-nodefaults", "-display", "none"],
          ...["-bios", "bench.rom", "-debugcon", "stdio"],
        ],
        image,
        signal,
      ),
  };
}

/** The emulators of both widths. */
export const qemu32: MeasuredEngine = qemu(32, "qemu-system-i386");
export const qemu64: MeasuredEngine = qemu(64, "qemu-system-x86_64");
