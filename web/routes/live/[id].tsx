/** A run or session while it goes on. */

import { Island } from "../../components/island.tsx";
import { LiveView } from "../../islands/live_view.tsx";
import { type Route, seeOther } from "../../route.ts";
import { channelOf } from "./channel_of.ts";

const route: Route = {
  path: "/live/:id",
  async get(visit) {
    const { id, live, services } = { ...visit, id: visit.params.id };
    // A run that is over and forgotten here is in the store.
    if (!live.find(id) && await services.runs.find(id)) return seeOther(`/runs/${id}`);
    const channel = channelOf(visit);
    const { samples: _, ...state } = channel.state;
    return {
      title: channel.title,
      place: "live",
      body: (
        <>
          <Island
            name="live_view"
            of={LiveView}
            props={{ id: channel.id, initial: { ...state, samples: [] } }}
          />
          <noscript>
            <p class="notice">The live view needs JavaScript; the results of a run do not.</p>
          </noscript>
        </>
      ),
    };
  },
};

export default route;
