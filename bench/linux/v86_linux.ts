/** 32-bit Linux on v86, in this process; its firmware is Debian's SeaBIOS. */

import { loadV86, wasmPath } from "../engines/v86.ts";
import { COMMAND_LINE, type LinuxEngine, MEMORY_MIB, TextWaiter } from "./linux.ts";

const FIRMWARE = "/usr/share/seabios";
const BIOS = `${FIRMWARE}/bios.bin`;

export const v86Linux: LinuxEngine = {
  name: "v86",
  runs: ({ flavour, role, cpus }) => flavour === "686" && role === "bzImage" && cpus === 1,
  available: async () =>
    await loadV86() !== null && await Deno.stat(BIOS).then(() => true, () => false),
  async start({ files }, signal) {
    const V86 = await loadV86();
    if (V86 === null) throw new Error("v86 cannot be loaded");
    const waiter = new TextWaiter();
    const emulator = new V86({
      wasm_path: await wasmPath(),
      bios: { buffer: (await Deno.readFile(BIOS)).buffer },
      vga_bios: { buffer: (await Deno.readFile(`${FIRMWARE}/vgabios-stdvga.bin`)).buffer },
      bzimage: { buffer: files.bzImage.slice().buffer },
      initrd: { buffer: files.initrd.slice().buffer },
      cmdline: COMMAND_LINE,
      memory_size: MEMORY_MIB * 1024 * 1024,
      autostart: true,
      disable_speaker: true,
    });
    emulator.add_listener("serial0-output-byte", (byte) => {
      waiter.add(String.fromCharCode(byte));
    });
    const abort = () => waiter.fail(new Error("interrupted"));
    signal.addEventListener("abort", abort, { once: true });
    return {
      waitFor: (text) => waiter.waitFor(text),
      send: (text) => emulator.serial0_send(text),
      stop: async () => {
        signal.removeEventListener("abort", abort);
        await emulator.destroy();
      },
    };
  },
};
