/**
 * What browsers load besides pages: style sheets, the icon, and the islands, which esbuild bundles when the first browser
 * asks for one: its page has been shown by then. Nothing is built into the repository.
 */

import uplotStyles from "uplot/dist/uPlot.min.css" with { type: "text" };
import terminalStyles from "@xterm/xterm/css/xterm.css" with { type: "text" };
import base from "./styles/base.css" with { type: "text" };
import parts from "./styles/parts.css" with { type: "text" };
import figures from "./styles/figures.css" with { type: "text" };
import icon from "./static/icon.svg" with { type: "text" };

/** A file as it is served. */
export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same bytes, compressed by gzip. */
  readonly gzip: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  /** Whether its name changes with its content. */
  readonly immutable: boolean;
}

const CLIENT = new URL("./client.ts", import.meta.url);
const STYLES = [base, parts, figures, uplotStyles, terminalStyles];
const JAVASCRIPT = "text/javascript; charset=utf-8";

/** The assets of one dashboard, by their file name. */
export class Assets {
  readonly #plain = byName([
    ["style.css", "text/css; charset=utf-8", STYLES.join("\n")],
    ["icon.svg", "image/svg+xml", icon],
  ]);
  #scripts: Promise<ReadonlyMap<string, Asset>> | null = null;

  /** Undefined if there is no such file; rejects with esbuild's words if the islands cannot be bundled. */
  async find(name: string): Promise<Asset | undefined> {
    return (await this.#plain).get(name) ??
      (name.endsWith(".js") ? (await this.scripts()).get(name) : undefined);
  }

  /** The islands: the client, a chunk for each, and what they share. Rejects as {@link find}. */
  scripts(): Promise<ReadonlyMap<string, Asset>> {
    return this.#scripts ??= bundleIslands().then(byName);
  }
}

async function byName(
  files: readonly (readonly [name: string, type: string, content: string])[],
): Promise<ReadonlyMap<string, Asset>> {
  const assets = files.map(async ([name, type, content]) =>
    [name, await asset(name, type, content)] as const
  );
  return new Map(await Promise.all(assets));
}

async function bundleIslands(): Promise<[name: string, type: string, code: string][]> {
  const { success, errors, outputFiles } = await Deno.bundle({
    entrypoints: [CLIENT.href],
    outputDir: "assets",
    platform: "browser",
    format: "esm",
    minify: true,
    codeSplitting: true,
    write: false,
  });
  if (!success || !outputFiles) {
    throw new Error(`the islands cannot be bundled: ${errors.map(({ text }) => text).join("; ")}`);
  }
  return outputFiles.map((file) => [
    file.path.slice(file.path.lastIndexOf("/") + 1),
    JAVASCRIPT,
    file.text(),
  ]);
}

async function asset(
  name: string,
  type: string,
  content: string,
): Promise<Asset> {
  const bytes = new TextEncoder().encode(content);
  const compressed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {
    type,
    bytes,
    gzip: new Uint8Array(await new Response(compressed).arrayBuffer()),
    etag: `"${digest.subarray(0, 12).toHex()}"`,
    immutable: /-[A-Z0-9]{8}\.js$/.test(name),
  };
}

/** The answer to a request for an asset. */
export function serveAsset(
  request: Request,
  { type, bytes, gzip, etag, immutable }: Asset,
): Response {
  const headers = new Headers({
    "content-type": type,
    "cache-control": immutable ? "max-age=31536000, immutable" : "no-cache",
    "vary": "accept-encoding",
    etag,
  });
  if (request.headers.get("if-none-match") === etag) {
    return new Response(null, { status: 304, headers });
  }
  const compressed = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  if (compressed) headers.set("content-encoding", "gzip");
  return new Response(compressed ? gzip : bytes, { headers });
}
