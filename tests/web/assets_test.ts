/** What a browser loads: small enough, and nothing from elsewhere. */

import { assert, assertEquals } from "@std/assert";
import { Assets, serveAsset } from "../../web/assets.ts";

/** The islands together, compressed; the terminal is loaded by console pages only. */
const MAX_ISLANDS_BYTES = 100_000;

const assets = new Assets();

Deno.test("all islands but the terminal are under 100 kB, compressed", async () => {
  const scripts = [...await assets.scripts()];
  const terminal = scripts.filter(([name]) => /^(?:xterm|addon-fit)-/.test(name));
  const rest = scripts.filter((each) => !terminal.includes(each));
  const size = rest.reduce((sum, [, { gzip }]) => sum + gzip.length, 0);
  assert(terminal.length >= 1, `the terminal has a chunk of its own: ${scripts.map(([n]) => n)}`);
  assert(size > 10_000 && size < MAX_ISLANDS_BYTES, `the islands have ${size} bytes`);
});

Deno.test("style sheets and scripts load nothing from elsewhere", async () => {
  const style = ["style.css", (await assets.find("style.css"))!] as const;
  for (const [name, { bytes }] of [style, ...await assets.scripts()]) {
    const text = new TextDecoder().decode(bytes);
    const loads = text.match(/@import\b|url\(\s*["']?(?:https?:)?\/\/|\bimport\s*["']https?:/g);
    assertEquals(loads, null, name);
  }
});

Deno.test("an asset is compressed for who can read that, and sent once", async () => {
  const asset = (await assets.find("client.js"))!;
  const ask = (headers: Readonly<Record<string, string>>) =>
    serveAsset(new Request("http://localhost/assets/client.js", { headers }), asset);
  const zipped = ask({ "accept-encoding": "gzip, br" });
  assertEquals(zipped.headers.get("content-encoding"), "gzip");
  assertEquals((await zipped.arrayBuffer()).byteLength, asset.gzip.length);
  const plain = ask({});
  assertEquals(plain.headers.get("content-encoding"), null);
  const again = ask({ "if-none-match": plain.headers.get("etag")! });
  assertEquals([again.status, await again.text()], [304, ""]);
});
