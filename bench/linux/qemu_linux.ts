/** Linux on QEMU with TCG, as a child process whose standard input and output are the serial console. */

import { spawn } from "node:child_process";
import { hasCommand } from "../engines/process.ts";
import { COMMAND_LINE, type LinuxEngine, MEMORY_MIB, TextWaiter } from "./linux.ts";

const COMMAND = "qemu-system-x86_64";

export const qemuLinux: LinuxEngine = {
  name: "QEMU TCG",
  runs: () => true,
  available: () => hasCommand(COMMAND),
  async start({ role, cpus, files }, signal) {
    const folder = await Deno.makeTempDir({ prefix: "xenarium_bench_" });
    await Deno.writeFile(`${folder}/kernel`, files[role]);
    await Deno.writeFile(`${folder}/initrd`, files.initrd);
    const waiter = new TextWaiter();
    const child = spawn(COMMAND, [
      ...["-accel", "tcg,thread=single", "-M", "pc", "-smp", String(cpus)],
      ...["-m", String(MEMORY_MIB), "-nodefaults", "-display", "none", "-serial", "stdio"],
      ...["-kernel", "kernel", "-initrd", "initrd", "-append", COMMAND_LINE],
    ], { cwd: folder, stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise<void>((resolve) => {
      child.on("close", () => {
        waiter.fail(new Error(`${COMMAND} has ended`));
        resolve();
      });
    });
    child.on("error", (error) => waiter.fail(error));
    child.stdout.on("data", (bytes: Uint8Array) => waiter.add(new TextDecoder().decode(bytes)));
    const stop = () => child.kill("SIGKILL");
    signal.addEventListener("abort", stop, { once: true });
    return {
      waitFor: (text) => waiter.waitFor(text),
      send: (text) => child.stdin.write(text),
      stop: async () => {
        signal.removeEventListener("abort", stop);
        stop();
        await ended;
        await Deno.remove(folder, { recursive: true });
      },
    };
  },
};
