/** Who is answered and who is refused, over HTTP as it is on the wire. */

import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { DashboardRig } from "../../web/testing/dashboard_rig.ts";
import { rawRequest } from "./raw_request.ts";

/** A request and the status that it gets. `PORT` stands for the dashboard's port. */
interface Case {
  readonly what: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
}

const OWN = "localhost:PORT";
const CASES: readonly Case[] = [
  { what: "its own name", headers: { host: OWN }, status: 200 },
  { what: "the loopback address", headers: { host: "127.0.0.1:PORT" }, status: 200 },
  { what: "a name that was bound anew", headers: { host: "evil.example:PORT" }, status: 421 },
  { what: "its name at another port", headers: { host: "localhost:1" }, status: 421 },
  {
    what: "a name that only begins like it",
    headers: { host: "localhost.evil.example:PORT" },
    status: 421,
  },
  { what: "a foreign origin", headers: { host: OWN, origin: "http://evil.example" }, status: 403 },
  { what: "no origin that can be told", headers: { host: OWN, origin: "null" }, status: 403 },
  {
    what: "another site's image or script",
    headers: { host: OWN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
    status: 403,
  },
  {
    what: "a link on another site's page",
    headers: { host: OWN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    status: 200,
  },
  {
    what: "a change that does not say where it comes from",
    method: "POST",
    path: "/runs/0a1b2c3d/delete",
    headers: { host: OWN },
    status: 403,
  },
  {
    what: "a change from another site",
    method: "POST",
    path: "/runs/0a1b2c3d/delete",
    headers: { host: OWN, origin: "http://evil.example" },
    status: 403,
  },
  {
    what: "a change from another site by a form",
    method: "POST",
    path: "/runs/0a1b2c3d/delete",
    headers: { host: OWN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    status: 403,
  },
  {
    what: "a change from its own page",
    method: "POST",
    path: "/runs/0a1b2c3d/delete",
    headers: { host: OWN, origin: "http://localhost:PORT" },
    status: 303,
  },
];

Deno.test("of all requests, only those of its own pages and visits are answered", async () => {
  await using rig = new DashboardRig();
  const statuses: [string, number][] = [];
  for (const { what, method = "GET", path = "/", headers } of CASES) {
    const filled = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace("PORT", `${rig.port}`)]),
    );
    statuses.push([what, (await rawRequest(rig.port, method, path, filled)).status]);
  }
  assertEquals(statuses, CASES.map(({ what, status }) => [what, status]));
});

Deno.test("a refused change changes nothing", async () => {
  await using rig = new DashboardRig();
  await rawRequest(rig.port, "POST", "/runs/0a1b2c3d/delete", { host: `localhost:${rig.port}` });
  assertEquals(rig.runs.has("0a1b2c3d"), true);
});

Deno.test("with a token, nobody is answered without it, and it moves from the address to a cookie", async () => {
  const token = "correct-horse";
  await using rig = new DashboardRig({ token });
  const host = { host: "testbed.example:1234" };
  const visit = (path: string, more: Readonly<Record<string, string>> = {}) =>
    rawRequest(rig.port, "GET", path, { ...host, ...more });
  assertEquals((await visit("/")).status, 401);
  assertEquals((await visit("/?token=wrong-horse")).status, 401);
  const entered = await visit(`/scenarios?token=${token}&x=1`);
  assertEquals([entered.status, entered.headers.get("location")], [303, "/scenarios?x=1"]);
  const cookie = entered.headers.get("set-cookie") ?? "";
  assertMatch(cookie, /HttpOnly; SameSite=Strict$/);
  assertEquals((await visit("/", { cookie: cookie.split(";")[0] })).status, 200);
  assertEquals((await visit("/", { authorization: `Bearer ${token}` })).status, 200);
  assertEquals((await visit("/assets/icon.svg")).status, 401);
});

Deno.test("every answer forbids inline scripts, framing and guessing of types", async () => {
  await using rig = new DashboardRig();
  for (const path of ["/", "/help", "/assets/client.js", "/nowhere", "/live/nothing/stream"]) {
    const { headers } = await rawRequest(rig.port, "GET", path, { host: `localhost:${rig.port}` });
    const policy = headers.get("content-security-policy") ?? "";
    assertStringIncludes(policy, "default-src 'none'; script-src 'self'; style-src 'self';", path);
    assertStringIncludes(policy, "frame-ancestors 'none'", path);
    assertEquals(headers.get("x-content-type-options"), "nosniff", path);
  }
});

Deno.test("a port in use is one error that names it and the way out", async () => {
  await using rig = new DashboardRig();
  assertThrows(
    () => rig.another({ port: rig.port }),
    Error,
    `port ${rig.port} is in use: choose another with --port NUMBER`,
  );
});

Deno.test("what cannot be listened on is refused before anything starts", async () => {
  await using rig = new DashboardRig();
  assertThrows(() => rig.another({ port: 65_536 }), RangeError, "0 to 65535");
  assertThrows(() => rig.another({ port: 0, host: "0.0.0.0" }), RangeError, "needs --token");
  assertThrows(() => rig.another({ port: 0, token: "short" }), RangeError, "at least 8");
});
