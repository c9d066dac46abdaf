/** v86 (an emulator with a WebAssembly translator; 32-bit only), from its npm package if that is to be had. */

import { spawnSync } from "node:child_process";
import { type GuestImage, romImage } from "../guest/image.ts";
import { MEMORY_MIB } from "../guest/kernel.ts";
import type { KernelTimes, MeasuredEngine } from "./engine.ts";
import { MarkReader } from "./marks.ts";

const VERSION = "0.5.462";
const PACKAGE = `npm:v86@${VERSION}`;
const DEBUG_CONSOLE = 0xe9;
const TIMEOUT_MS = 180_000;

/** What is used of v86's constructor's objects. */
export interface Emulator {
  readonly v86: {
    readonly cpu: {
      readonly io: {
        register_write(port: number, device: object, write: (byte: number) => void): void;
      };
    };
  };
  add_listener(event: string, listener: (value: number) => void): void;
  serial0_send(text: string): void;
  run(): void;
  destroy(): Promise<void>;
}
export type V86Constructor = new (options: Record<string, unknown>) => Emulator;

/** The package's constructor, or null if it is not to be had. */
export async function loadV86(): Promise<V86Constructor | null> {
  try {
    return (await import(PACKAGE)).V86 as V86Constructor;
  } catch {
    return null;
  }
}

/** The package's WebAssembly file in Deno's cache: the package itself looks for it in the current folder. */
export async function wasmPath(): Promise<string> {
  const { stdout } = spawnSync(Deno.execPath(), ["info", "--json"], { encoding: "utf8" });
  const { npmCache } = JSON.parse(stdout) as { npmCache: string };
  for await (const { name } of Deno.readDir(npmCache)) {
    const path = `${npmCache}/${name}/v86/${VERSION}/build/v86.wasm`;
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  throw new Error(`${PACKAGE} is not in the cache`);
}

async function run(image: GuestImage, signal: AbortSignal): Promise<KernelTimes> {
  const V86 = await loadV86();
  if (V86 === null) throw new Error(`${PACKAGE} cannot be loaded`);
  const marks = new MarkReader(image);
  const emulator = new V86({
    bios: { buffer: romImage(image).buffer },
    wasm_path: await wasmPath(),
    memory_size: MEMORY_MIB * 1024 * 1024,
    autostart: false,
    disable_speaker: true,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("v86 takes too long")), TIMEOUT_MS);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      emulator.add_listener("emulator-loaded", () => {
        emulator.v86.cpu.io.register_write(DEBUG_CONSOLE, {}, (byte) => {
          if (!marks.take(byte, performance.now())) return;
          clearTimeout(timer);
          resolve();
        });
        emulator.run();
      });
    });
    return marks.times;
  } finally {
    await emulator.destroy();
  }
}

/** v86 in this process. */
export const v86: MeasuredEngine = {
  name: "v86",
  bits: [32],
  scale: 4,
  available: async () => await loadV86() !== null,
  run,
};
