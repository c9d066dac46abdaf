/**
 * Saved domains as files: one line of JSON that says what it is and what it must hash to, then the domain, compressed.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { SavedDomain } from "./toolstack.ts";
import type { SavedDomainFiles } from "./verbs.ts";

const KIND = "xenarium domain";
const VERSION = 1;
/** Longer first lines are not of our making. */
const MAX_HEADER = 1024;

interface Header {
  readonly kind: string;
  readonly version: number;
  readonly sha256: string;
}

/** Files of the host. Reading rejects with an `Error` that names the file and what is wrong with it. */
export const savedDomainFiles: SavedDomainFiles = {
  async write(path, saved) {
    const body = zstdCompressSync(serialize(saved));
    const header: Header = { kind: KIND, version: VERSION, sha256: digest(body) };
    const line = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
    // Whole or not at all: a name is given to what is complete.
    const partial = `${path}.partial`;
    await Deno.writeFile(partial, Buffer.concat([line, body]));
    await Deno.rename(partial, path);
  },

  async read(path) {
    const bytes = await Deno.readFile(path);
    const end = bytes.subarray(0, MAX_HEADER).indexOf("\n".charCodeAt(0));
    const header = headerOf(new TextDecoder().decode(bytes.subarray(0, Math.max(0, end))));
    if (header?.kind !== KIND) throw new Error(`${path} is not a saved domain`);
    if (header.version !== VERSION) {
      throw new Error(`${path} is of version ${header.version}; this program reads ${VERSION}`);
    }
    const body = bytes.subarray(end + 1);
    if (digest(body) !== header.sha256) {
      throw new Error(`${path} is damaged: it is not what was written`);
    }
    return deserialize(zstdDecompressSync(body)) as SavedDomain;
  },
};

function headerOf(line: string): Header | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
