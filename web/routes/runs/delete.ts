/** Deletes a run. */

import { PageError, type Route, seeOther } from "../../route.ts";

const route: Route = {
  path: "/runs/:id/delete",
  async post({ params, services }) {
    const run = await services.runs.find(params.id);
    if (!run) throw new PageError(404, `There is no run ${params.id}.`);
    if (run.status === "running") {
      throw new PageError(409, `Run ${run.id} goes on; it can be deleted when it has ended.`);
    }
    await services.runs.remove(run.id);
    return seeOther("/");
  },
};

export default route;
