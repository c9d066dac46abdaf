/** Listens for browsers. */

import { createApp } from "./app.tsx";
import { Assets } from "./assets.ts";
import { LiveHub } from "./live/live_hub.ts";
import type { DashboardServices } from "./services.ts";

/** Where the dashboard is to be found. */
export interface DashboardOptions {
  readonly services: DashboardServices;
  /** 0 for any free one; default {@link DEFAULT_PORT}. */
  readonly port?: number;
  /** The address to listen on; default the loopback address. Any other needs a token. */
  readonly host?: string;
  /** What every browser must show. */
  readonly token?: string;
}

/** A dashboard that is listening. */
export interface Dashboard {
  /** With the token, if there is one. */
  readonly url: string;
  readonly port: number;
  /** Ends the streams and stops listening; runs that were started here go on only if their process does. */
  close(): Promise<void>;
}

/** The port that is listened on if none is asked for. */
export const DEFAULT_PORT = 8420;
const LOOPBACK = "127.0.0.1";

/**
 * Starts listening. Throws `RangeError` for a port or token that cannot be, or for another machine's address without a
 * token; `Error` if the port is taken.
 */
export function serveDashboard(options: DashboardOptions): Dashboard {
  const { services, port = DEFAULT_PORT, host = LOOPBACK, token } = options;
  checkOptions(port, host, token);
  const live = new LiveHub(services);
  const assets = new Assets();
  let app: ReturnType<typeof createApp> | null = null;
  const server = listen(port, host, (request) => app!(request));
  const bound = server.addr.port;
  app = createApp({ services, live, assets, port: bound, token });
  const name = host === LOOPBACK ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return {
    url: `http://${name}:${bound}/${
      token === undefined ? "" : `?token=${encodeURIComponent(token)}`
    }`,
    port: bound,
    async close() {
      live.close();
      await server.shutdown();
    },
  };
}

function checkOptions(port: number, host: string, token: string | undefined): void {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`a port is a whole number from 0 to 65535, found ${port}`);
  }
  if (token !== undefined && !/^[\w.~+-]{8,}$/.test(token)) {
    throw new RangeError(
      "a token has at least 8 letters, digits, dots, dashes, underscores, tildes or plus signs",
    );
  }
  if (token === undefined && host !== LOOPBACK && host !== "::1" && host !== "localhost") {
    throw new RangeError(
      `listening on ${host} lets other machines in: that needs --token (a secret of your choice)`,
    );
  }
}

function listen(
  port: number,
  hostname: string,
  handler: Deno.ServeHandler,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ port, hostname, onListen: () => {} }, handler);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new Error(
      `port ${port} is in use: choose another with --port NUMBER, or any free one with --port 0`,
    );
  }
}
