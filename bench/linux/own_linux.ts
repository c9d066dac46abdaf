/** Linux on this project's machine. */

import { createMachine } from "../../testbed/machine.ts";
import { COMMAND_LINE, type LinuxEngine, MEMORY_MIB } from "./linux.ts";

/** On the hot tier. */
export const ownLinux: LinuxEngine = {
  name: "hot tier",
  runs: () => true,
  available: () => Promise.resolve(true),
  async start({ role, cpus, files }, signal) {
    const machine = await createMachine({
      kernel: files[role],
      initrd: files.initrd,
      append: COMMAND_LINE,
      memory: `${MEMORY_MIB}MiB`,
      cpus,
    });
    return {
      waitFor: async (text) => {
        await machine.console.waitFor(text, { timeoutSimulated: "600s", signal });
      },
      send: (text) => machine.console.send(text),
      stop: () => Promise.resolve(),
    };
  },
};
