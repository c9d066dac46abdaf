/** RAM as a list of pages of which each content is kept once: most of a young machine's are alike. */

import { SnapshotError } from "../../core/lib/snapshot.ts";
import { FRAME_BYTES, type MachineMemory } from "../../core/memory/machine_memory.ts";

const PAGE_WORDS = FRAME_BYTES / 4;
/** Pages in a chunk, which is compressed on its own. */
const CHUNK_PAGES = 4096;
export const CHUNK_BYTES = CHUNK_PAGES * FRAME_BYTES;

/** All RAM of a machine. */
export interface StoredPages {
  /** For each page in the order of linear memory, where among the contents its own is. */
  readonly index: Uint32Array;
  /** The contents, in chunks of CHUNK_BYTES; the last may be shorter. */
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
}

/** All RAM of a machine, wherever it lies. */
export interface RamSource {
  readonly sizeBytes: number;
  /** Replaces the RAM of a machine that has as much. */
  writeTo(memory: MachineMemory): void;
}

/** RAM that lies in one piece. */
export function ramWithin(bytes: Uint8Array): RamSource {
  return { sizeBytes: bytes.length, writeTo: (memory) => memory.writeRam(bytes) };
}

/** Takes all RAM of a machine that stands still. */
export function storePages(memory: MachineMemory): StoredPages {
  const { ramBase, ramBytes } = memory.plan;
  const pages = ramBytes / FRAME_BYTES;
  const firstPage = ramBase / FRAME_BYTES;
  const index = new Uint32Array(pages);
  const chunks: Uint32Array<ArrayBuffer>[] = [];
  /** By hash, the contents that have it: one, but for collisions. */
  const known = new Map<number, number[]>();
  const page = new Uint32Array(PAGE_WORDS);
  const bytes = new Uint8Array(page.buffer);
  let count = 0;
  for (let i = 0; i < pages; i++) {
    memory.readPage(firstPage + i, bytes);
    const hash = hashOf(page);
    const alike = known.get(hash) ?? [];
    let content = alike.find((each) => isAt(chunks, each, page));
    if (content === undefined) {
      content = count++;
      const at = content % CHUNK_PAGES;
      if (at === 0) chunks.push(new Uint32Array(CHUNK_PAGES * PAGE_WORDS));
      chunks[chunks.length - 1].set(page, at * PAGE_WORDS);
      known.set(hash, [...alike, content]);
    }
    index[i] = content;
  }
  const used = (i: number) => Math.min(count - i * CHUNK_PAGES, CHUNK_PAGES) * FRAME_BYTES;
  return { index, chunks: chunks.map(({ buffer }, i) => new Uint8Array(buffer, 0, used(i))) };
}

/** The index of stored pages as it lies in a file. */
export function indexOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** RAM to be put in place, page by page; throws {@link SnapshotError} if the index names a content that there is not. */
export function ramOf({ index, chunks }: StoredPages): RamSource {
  const pageAt = (content: number) => {
    const at = (content % CHUNK_PAGES) * FRAME_BYTES;
    return chunks[Math.floor(content / CHUNK_PAGES)]?.subarray(at, at + FRAME_BYTES);
  };
  if (index.some((content) => pageAt(content)?.length !== FRAME_BYTES)) {
    throw new SnapshotError("it names a page that it does not hold");
  }
  return {
    sizeBytes: index.length * FRAME_BYTES,
    writeTo: (memory) => {
      const firstPage = memory.plan.ramBase / FRAME_BYTES;
      for (let i = 0; i < index.length; i++) memory.writePage(firstPage + i, pageAt(index[i])!);
    },
  };
}

/** 53 bits of hash: collisions cost a comparison, no more. */
function hashOf(words: Uint32Array): number {
  let [a, b] = [0x9e3779b9 | 0, 0x85ebca6b | 0];
  for (let i = 0; i < words.length; i++) {
    a = Math.imul(a ^ words[i], 0x01000193);
    b = Math.imul((b << 5) ^ (b >>> 27) ^ words[i], 0xc2b2ae35);
  }
  return (a >>> 0) * 0x20_0000 + (b >>> 11);
}

function isAt(chunks: readonly Uint32Array[], content: number, page: Uint32Array): boolean {
  const chunk = chunks[Math.floor(content / CHUNK_PAGES)];
  const at = (content % CHUNK_PAGES) * PAGE_WORDS;
  for (let i = 0; i < PAGE_WORDS; i++) if (chunk[at + i] !== page[i]) return false;
  return true;
}
