/** A run's data as a file. */

import { PageError, type Route } from "../../route.ts";

const TYPES = { json: "application/json", csv: "text/csv; charset=utf-8" } as const;

const route: Route = {
  path: "/runs/:id/files/:file",
  async get({ params, services }) {
    const run = await services.runs.find(params.id);
    if (!run) throw new PageError(404, `There is no run ${params.id}.`);
    const file = services.runs.exports(run).find(({ name }) => name === params.file);
    if (!file) throw new PageError(404, `Run ${run.id} has no file ${params.file}.`);
    return new Response(file.text, {
      headers: {
        "content-type": TYPES[file.name.endsWith(".csv") ? "csv" : "json"],
        "content-disposition": `attachment; filename="${file.name.replace(/[^\w.-]+/g, "_")}"`,
      },
    });
  },
};

export default route;
