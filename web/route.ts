/** What a file in `routes/` is: a path, and what is answered there. */

import type { ComponentChild } from "preact";
import type { LiveHub } from "./live/live_hub.ts";
import type { DashboardServices } from "./services.ts";

/** Which of the masthead's places a page belongs to. */
export type Place = "runs" | "scenarios" | "live" | "help";

/** A page to be put into the frame of all pages. */
export interface Page {
  readonly title: string;
  readonly place: Place;
  readonly body: ComponentChild;
  readonly status?: number;
  /** Loads itself again after so many seconds; for pages that show something unfinished. */
  readonly refreshSeconds?: number;
  /** Whether it holds a terminal. */
  readonly terminal?: boolean;
}

/** What a handler knows. */
export interface Visit {
  readonly request: Request;
  readonly url: URL;
  /** The parts of the path that the route names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly services: DashboardServices;
  readonly live: LiveHub;
}

export type Handler = (visit: Visit) => Page | Response | Promise<Page | Response>;

/** The default export of a file in `routes/`. */
export interface Route {
  /** In Hono's notation, for example `/runs/:id`. */
  readonly path: string;
  readonly get?: Handler;
  readonly post?: Handler;
}

/** Sends the browser on after a form was dealt with. */
export function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location } });
}

/** A page that says what went wrong, with a way on. */
export class PageError extends Error {
  constructor(readonly status: 400 | 404 | 409, message: string, readonly place: Place = "runs") {
    super(message);
  }
}
