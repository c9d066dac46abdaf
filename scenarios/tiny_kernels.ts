/**
 * The embedded default: kernels of our own show what the machine can do. Nothing is downloaded, and each
 * run tells the same story to the last cycle.
 */

import {
  formatDuration,
  type Scenario,
  type StopReason,
  type TinyGuest,
  tinyGuests,
} from "../mod.ts";

const scenario: Scenario = {
  summary: "boots tiny kernels of our own: protected mode, long mode, rings, several CPUs",

  async run({ print, createMachine, signal }) {
    print("Xenarium: tiny kernels of our own on a whole PC, in simulated time\n");
    for (const guest of tinyGuests) {
      print(`${guest.name} (${guest.summary})`);
      const machine = await createMachine({
        name: guest.name,
        kernel: guest.image(),
        memory: "16MiB",
        cpus: guest.cpus,
      });
      const lines = lineBuffer((line) => print(`  ${line}`));
      const detach = machine.console.onOutput(lines.write);
      const stop = await machine.run({ signal });
      detach();
      if (stop.kind === "aborted") return;
      checkOutcome(guest, machine.console.text, stop);
      const simulated = formatDuration(machine.clock.nowNs);
      print(`  ended after ${simulated} simulated; trace ${machine.trace.hash}\n`);
    }
    print("Next: `deno task repl`, or `deno task xenarium boot --help` for kernels of your own.");
  },
};

export default scenario;

/** Hands on whole lines of a byte stream. */
function lineBuffer(onLine: (line: string) => void): { write(bytes: Uint8Array): void } {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    write(bytes) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(onLine);
    },
  };
}

/** Throws if the guest did not say and end as it should. */
function checkOutcome(guest: TinyGuest, output: string, stop: StopReason): void {
  if (stop.kind !== "exit" || stop.code !== guest.expectedExitCode) {
    throw new Error(
      `${guest.name}: expected exit code ${guest.expectedExitCode}, found ${JSON.stringify(stop)}`,
    );
  }
  if (output !== guest.expectedOutput) {
    throw new Error(`${guest.name}: expected the output ${guest.expectedOutput}, found ${output}`);
  }
}
