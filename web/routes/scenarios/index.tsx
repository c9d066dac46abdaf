/** The scenarios there are. */

import type { Route } from "../../route.ts";

const route: Route = {
  path: "/scenarios",
  async get({ services }) {
    const cards = await services.scenarios.list();
    return {
      title: "Scenarios",
      place: "scenarios",
      body: (
        <>
          <p class="soft">
            Each is a script that builds machines, loads and disturbs them, and shows what happened.
            The same parameters and seed give the same run, to the last cycle.
          </p>
          <ul class="cards">
            {cards.map(({ name, title, summary }) => (
              <li key={name} class="card">
                <h2>
                  <a href={`/scenarios/${encodeURIComponent(name)}`}>{title}</a>
                </h2>
                <p class="soft">{summary}</p>
                <code class="soft">xenarium run {name}</code>
              </li>
            ))}
          </ul>
        </>
      ),
    };
  },
};

export default route;
