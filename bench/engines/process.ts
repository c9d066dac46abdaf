/** Other emulators as child processes whose standard output carries the marks. */

import { spawn, spawnSync } from "node:child_process";
import { type GuestImage, romImage } from "../guest/image.ts";
import type { KernelTimes } from "./engine.ts";
import { MarkReader } from "./marks.ts";

const TIMEOUT_MS = 180_000;

/** Whether `command` can be started. */
export function hasCommand(command: string): Promise<boolean> {
  return Promise.resolve(spawnSync(command, ["--help"], { stdio: "ignore" }).error === undefined);
}

/**
 * Runs `command` in a folder of its own with the image as `bench.rom` (and further files beside it) until the
 * guest has finished, then ends it. Rejects with what it wrote to standard error if it ends before.
 */
export async function runProcess(
  command: string,
  args: readonly string[],
  image: GuestImage,
  signal: AbortSignal,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<KernelTimes> {
  const folder = await Deno.makeTempDir({ prefix: "xenarium_bench_" });
  try {
    await Deno.writeFile(`${folder}/bench.rom`, romImage(image));
    for (const [name, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    return await watch(command, args, folder, image, signal);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function watch(
  command: string,
  args: readonly string[],
  cwd: string,
  image: GuestImage,
  signal: AbortSignal,
): Promise<KernelTimes> {
  return new Promise((resolve, reject) => {
    const marks = new MarkReader(image);
    let complaints = "";
    let finished = false;
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    const stop = () => child.kill("SIGKILL");
    const timer = setTimeout(stop, TIMEOUT_MS);
    signal.addEventListener("abort", stop, { once: true });
    child.stdout.on("data", (bytes: Uint8Array) => {
      const now = performance.now();
      for (const byte of bytes) finished ||= marks.take(byte, now);
      if (finished) stop();
    });
    child.stderr.on("data", (bytes) => complaints = (complaints + String(bytes)).slice(-2000));
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      if (finished) resolve(marks.times);
      else reject(new Error(`${command} ended after ${marks.times.size} kernels: ${complaints}`));
    });
  });
}
