/** What goes on now. */

import { Status } from "../../components/run_parts.tsx";
import type { Route } from "../../route.ts";

const route: Route = {
  path: "/live",
  get({ live }) {
    const channels = live.list();
    return {
      title: "Live",
      place: "live",
      body: channels.length === 0
        ? (
          <div class="empty">
            <p>
              Nothing runs here at present. <a href="/scenarios">Start a scenario</a>, or call{" "}
              <code>dashboard()</code> in the REPL to watch its machines.
            </p>
          </div>
        )
        : (
          <ul class="cards">
            {channels.map(({ id, title, status }) => (
              <li key={id} class="card">
                <h2>
                  <a href={`/live/${id}`}>{title}</a>
                </h2>
                <Status of={status} />
              </li>
            ))}
          </ul>
        ),
    };
  },
};

export default route;
