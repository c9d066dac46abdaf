/** Bochs, an interpreter in C++; its configuration is made here. */

import { MEMORY_MIB } from "../guest/kernel.ts";
import type { MeasuredEngine } from "./engine.ts";
import { hasCommand, runProcess } from "./process.ts";

/** Debian's Bochs has no display without a window but RFB, which is told not to wait for a viewer. */
const CONFIGURATION = `
megs: ${MEMORY_MIB}
romimage: file=bench.rom
vgaromimage: file=vga.rom
cpu: model=core2_penryn_t9600, count=1, ips=100000000, reset_on_triple_fault=0
clock: sync=none
display_library: rfb, options="timeout=0"
port_e9_hack: enabled=1
boot: disk
log: bochs.log
speaker: enabled=0
plugin_ctrl: speaker=0
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
`;

/** An expansion ROM that returns at once: Bochs insists on one for the display, nobody calls it. */
const EMPTY_ROM = new Uint8Array(512);
EMPTY_ROM.set([0x55, 0xaa, 1, 0xcb]);
EMPTY_ROM[511] = -(0x55 + 0xaa + 1 + 0xcb) & 0xff;

/** Bochs as Debian packages it. */
export const bochs: MeasuredEngine = {
  name: "Bochs",
  bits: [32, 64],
  scale: 1,
  available: () => hasCommand("bochs"),
  run: (image, signal) =>
    runProcess("bochs", ["-q", "-f", "bochsrc", "-rc", "commands"], image, signal, {
      bochsrc: CONFIGURATION,
      commands: "continue\n",
      "vga.rom": EMPTY_ROM,
    }),
};
