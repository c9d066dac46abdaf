/** Every route, in the order in which they are tried. */

import compare from "./routes/compare.tsx";
import help from "./routes/help.tsx";
import home from "./routes/index.tsx";
import console from "./routes/live/console.tsx";
import live from "./routes/live/index.tsx";
import stop from "./routes/live/stop.ts";
import stream from "./routes/live/stream.ts";
import typed from "./routes/live/type.ts";
import watch from "./routes/live/[id].tsx";
import run from "./routes/runs/[id].tsx";
import download from "./routes/runs/download.ts";
import remove from "./routes/runs/delete.ts";
import scenario from "./routes/scenarios/[name].tsx";
import scenarios from "./routes/scenarios/index.tsx";
import type { Route } from "./route.ts";

export const routes: readonly Route[] = [
  home,
  compare,
  download,
  remove,
  run,
  scenarios,
  scenario,
  live,
  stream,
  typed,
  stop,
  console,
  watch,
  help,
];
