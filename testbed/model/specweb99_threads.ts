/**
 * Searches for SPECweb99's result, each on a thread of its own, as many at once as the host has CPUs: a figure is many searches
 * that know nothing of each other, and simulated time does not depend on who else runs.
 */

import type { SpecWebOptions } from "./specweb99.ts";
import type { SpecWebBest, SpecWebSearch } from "./specweb99_search.ts";

/** What a thread says: how much is done, between 0 and 1, of the measurement at hand; then its end. */
export type FromSearch =
  | { readonly kind: "progress"; readonly part: number }
  | { readonly kind: "found"; readonly best: SpecWebBest }
  | { readonly kind: "failed"; readonly error: string };

/** Begun once there is a CPU for it. */
const waiting: (() => void)[] = [];
let running = 0;

/** As `searchSpecWeb` of specweb99_search.ts. */
export function searchOnThread(
  search: SpecWebSearch,
  { signal, onProgress }: SpecWebOptions = {},
): Promise<SpecWebBest> {
  const { promise, resolve, reject } = Promise.withResolvers<SpecWebBest>();
  waiting.push(() => {
    if (signal?.aborted) return end(() => reject(signal.reason));
    const worker = new Worker(new URL("./specweb99_worker.ts", import.meta.url), {
      type: "module",
    });
    const abort = () => close(() => reject(signal!.reason));
    const close = (settle: () => void) => {
      signal?.removeEventListener("abort", abort);
      worker.terminate();
      end(settle);
    };
    signal?.addEventListener("abort", abort);
    worker.onmessage = ({ data }: MessageEvent<FromSearch>) => {
      switch (data.kind) {
        case "progress":
          return onProgress?.(data.part);
        case "found":
          return close(() => resolve(data.best));
        case "failed":
          return close(() => reject(new RangeError(data.error)));
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      close(() => reject(new Error(event.message)));
    };
    worker.postMessage(search);
  });
  beginNext();
  return promise;
}

function end(settle: () => void): void {
  running--;
  settle();
  beginNext();
}

function beginNext(): void {
  if (running >= navigator.hardwareConcurrency) return;
  const next = waiting.shift();
  if (!next) return;
  running++;
  next();
}
