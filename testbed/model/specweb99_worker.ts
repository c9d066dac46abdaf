/** The thread of one search: see specweb99_threads.ts for what it says. */

import type { FromSearch } from "./specweb99_threads.ts";
import { searchSpecWeb, type SpecWebSearch } from "./specweb99_search.ts";

/** A worker's global scope, as far as it is used; the types of workers and of pages exclude each other. */
interface WorkerScope {
  onmessage: ((message: MessageEvent<SpecWebSearch>) => void) | null;
  postMessage(message: FromSearch): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = async ({ data }) => {
  const onProgress = (part: number) => scope.postMessage({ kind: "progress", part });
  try {
    scope.postMessage({ kind: "found", best: await searchSpecWeb(data, { onProgress }) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    scope.postMessage({ kind: "failed", error: message });
  }
};
