/** HTTP as bytes on a socket: `fetch` would not let a test lie about its host. */

import { assert } from "@std/assert";

/** What came back. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Makes one request to this machine; the connection is closed behind it. */
export async function rawRequest(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<RawAnswer> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = Object.entries({ ...headers, connection: "close", "content-length": "0" })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const answer = await new Response(connection.readable).text();
  const [head, ...body] = answer.split("\r\n\r\n");
  const [first, ...fields] = head.split("\r\n");
  assert(first.startsWith("HTTP/1.1 "), `no answer: ${first}`);
  const pairs = fields.map((field): [string, string] => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  return {
    status: Number(first.split(" ")[1]),
    headers: new Headers(pairs),
    text: body.join("\r\n\r\n"),
  };
}
