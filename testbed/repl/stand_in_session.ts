/**
 * A REPL session whose machines are stand-ins; `shell_test.ts` runs it in a pseudo terminal.
 *
 * Its argument is the file of the history.
 */

import process from "node:process";
import type { MachineOptions } from "../machine_api.ts";
import { HostRegistry } from "../host_registry.ts";
import { MachineRegistry } from "../machine_registry.ts";
import { MachineStandIn } from "../machine_stand_in.ts";
import { runShell } from "./shell.ts";

const machines = new MachineRegistry();

const code = await runShell({
  input: process.stdin,
  output: process.stdout,
  machines,
  hosts: new HostRegistry(),
  globals: {
    createMachine(options: MachineOptions = {}) {
      const machine = new MachineStandIn({ name: machines.nextName(), ...options }, [
        { at: 50, print: "booting\n" },
      ]);
      machines.add(machine);
      return Promise.resolve(machine);
    },
  },
  historyPath: Deno.args[0] ?? null,
  base: new URL("./", import.meta.url),
});
Deno.exit(code);
