/** The dashboard as a function from requests to answers: guard, assets, routes, and the frame around pages. */

import { Hono } from "hono";
import { renderToString } from "preact-render-to-string";
import { type Assets, serveAsset } from "./assets.ts";
import { Frame } from "./frame.tsx";
import { cookieOf, examine, type GuardOptions, harden } from "./guard.ts";
import type { LiveHub } from "./live/live_hub.ts";
import { type Handler, type Page, PageError, type Route } from "./route.ts";
import { routes } from "./routes.ts";
import type { DashboardServices } from "./services.ts";
import { type Theme, THEME_COOKIE, THEMES } from "./theme.ts";

/** What the dashboard is made of. */
export interface AppOptions extends GuardOptions {
  readonly services: DashboardServices;
  readonly live: LiveHub;
  readonly assets: Assets;
}

/** Answers a request. */
export type App = (request: Request) => Response | Promise<Response>;

/** See the module comment. */
export function createApp(options: AppOptions): App {
  const hono = new Hono();
  hono.use(async (context, next) => {
    const verdict = examine(context.req.raw, options);
    if (!verdict.allowed) {
      harden(verdict.answer, false);
      return verdict.answer;
    }
    await next();
    return undefined;
  });
  hono.get("/assets/:name", async ({ req }) => {
    const asset = await options.assets.find(req.param("name"));
    const answer = asset
      ? serveAsset(req.raw, asset)
      : new Response("no such file\n", { status: 404 });
    harden(answer, false);
    return answer;
  });
  for (const route of routes) mount(hono, route, options);
  const missing: Handler = ({ url }) => {
    throw new PageError(404, `There is no page at ${url.pathname}.`);
  };
  hono.notFound(({ req }) => answer(missing, req.raw, {}, options));
  return (request) => hono.fetch(request);
}

function mount(hono: Hono, { path, get, post }: Route, options: AppOptions): void {
  if (get) hono.get(path, ({ req }) => answer(get, req.raw, req.param(), options));
  if (post) hono.post(path, ({ req }) => answer(post, req.raw, req.param(), options));
}

async function answer(
  handler: Handler,
  request: Request,
  params: Readonly<Record<string, string>>,
  { services, live }: AppOptions,
): Promise<Response> {
  const url = new URL(request.url);
  const theme = themeOf(request);
  try {
    const result = await handler({ request, url, params, services, live });
    if (result instanceof Response) {
      harden(result, false);
      return result;
    }
    return framed(result, theme, services.version);
  } catch (error) {
    return framed(errorPage(error), theme, services.version);
  }
}

/** A mistake of a visitor's gets its words; one of ours too, and is told on the terminal with its place. */
function errorPage(error: unknown): Page {
  const known = error instanceof PageError;
  if (!known) console.error(error);
  const message = error instanceof Error ? error.message : String(error);
  return {
    title: known && error.status === 404 ? "Not found" : "That did not work",
    place: known ? error.place : "runs",
    status: known ? error.status : 500,
    body: (
      <div class="notice bad" role="alert">
        <p>{message}</p>
      </div>
    ),
  };
}

function framed(page: Page, theme: Theme, version: string): Response {
  const html = renderToString(<Frame page={page} theme={theme} version={version} />);
  const result = new Response(`<!doctype html>${html}`, {
    status: page.status ?? 200,
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  harden(result, page.terminal ?? false);
  return result;
}

function themeOf(request: Request): Theme {
  const chosen = cookieOf(request, THEME_COOKIE);
  return THEMES.find((theme) => theme === chosen) ?? "system";
}
