/**
 * Who may talk to the dashboard.
 *
 * It can start programs on this machine, so it answers only pages that it served itself: a foreign name for the
 * loopback address (DNS rebinding), a foreign page's requests, and framing are refused. Other machines need a token.
 * Source: "Fetch Metadata Request Headers" and "Content Security Policy Level 3" (W3C).
 */

import { timingSafeEqual } from "node:crypto";

/** What is guarded, and by what. */
export interface GuardOptions {
  /** The port that is listened on. */
  readonly port: number;
  /** What every request must show; without it only names of this machine are answered. */
  readonly token?: string;
}

const TOKEN_COOKIE = "xenarium_token";
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/** Pages run the dashboard's own scripts and nothing else; nothing inline, nothing from elsewhere. */
const POLICY = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self' data:",
  "connect-src": "'self'",
  "form-action": "'self'",
  "base-uri": "'none'",
  "frame-ancestors": "'none'",
} as const;

/** Sent with every answer. */
const HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};

/** What the guard says: go on, or this answer. */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly answer: Response };

/** Looks at a request before anything else does. */
export function examine(request: Request, options: GuardOptions): Verdict {
  const url = new URL(request.url);
  const host = request.headers.get("host") ?? "";
  if (options.token === undefined && !isOwnName(host, options.port)) {
    return refuse(
      421,
      `This dashboard answers as localhost:${options.port} only; another name needs --token.`,
    );
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    return refuse(403, "Requests of other sites' pages are refused.");
  }
  const site = request.headers.get("sec-fetch-site");
  const isVisit = request.headers.get("sec-fetch-mode") === "navigate" && isReading(request);
  if (site !== null && site !== "same-origin" && site !== "none" && !isVisit) {
    return refuse(403, "Requests of other sites' pages are refused.");
  }
  if (!isReading(request) && origin === null && site !== "same-origin") {
    return refuse(403, "A change needs to come from a page of this dashboard.");
  }
  return options.token === undefined
    ? { allowed: true }
    : examineToken(request, url, options.token);
}

/** Adds what every answer carries. `terminal` pages may have style elements: xterm makes its own. */
export function harden(answer: Response, terminal: boolean): void {
  for (const [name, value] of Object.entries(HEADERS)) answer.headers.set(name, value);
  const style = terminal ? "'self' 'unsafe-inline'" : POLICY["style-src"];
  const policy = Object.entries({ ...POLICY, "style-src": style });
  answer.headers.set(
    "content-security-policy",
    policy.map(([name, value]) => `${name} ${value}`).join("; "),
  );
  if (!answer.headers.has("cache-control")) answer.headers.set("cache-control", "no-store");
}

function isReading({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function isOwnName(host: string, port: number): boolean {
  return LOOPBACK_NAMES.some((name) =>
    host === `${name}:${port}` || (port === 80 && host === name)
  );
}

/** A token comes once in the address, and from then on in a cookie that scripts cannot read. */
function examineToken(request: Request, url: URL, token: string): Verdict {
  const shown = url.searchParams.get("token");
  if (shown !== null && isReading(request)) {
    if (!isSame(shown, token)) return refuse(401, "The token is wrong.");
    url.searchParams.delete("token");
    const headers = {
      "location": `${url.pathname}${url.search}`,
      "set-cookie": `${TOKEN_COOKIE}=${
        encodeURIComponent(token)
      }; Path=/; HttpOnly; SameSite=Strict`,
    };
    return { allowed: false, answer: new Response(null, { status: 303, headers }) };
  }
  const bearer = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
  const offered = bearer ?? cookieOf(request, TOKEN_COOKIE);
  if (offered !== null && isSame(offered, token)) return { allowed: true };
  return refuse(401, "This dashboard needs its token: open the address that it printed.");
}

/** The value of a cookie, or `null`. */
export function cookieOf(request: Request, name: string): string | null {
  for (const part of (request.headers.get("cookie") ?? "").split(";")) {
    const [key, ...value] = part.trim().split("=");
    if (key !== name) continue;
    try {
      return decodeURIComponent(value.join("="));
    } catch {
      return null;
    }
  }
  return null;
}

/** Compares without telling by its time how much was right. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => new TextEncoder().encode(text));
  return a.length === b.length && timingSafeEqual(a, b);
}

function refuse(status: number, text: string): Verdict {
  const headers = { "content-type": "text/plain; charset=utf-8" };
  return { allowed: false, answer: new Response(`${text}\n`, { status, headers }) };
}
