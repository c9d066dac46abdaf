/** What the pages show, and how to get things done. */

import type { Route } from "../route.ts";

const route: Route = {
  path: "/help",
  get: () => ({
    title: "Help",
    place: "help",
    body: (
      <>
        <section>
          <h2>Runs</h2>
          <p>
            A run is one execution of a scenario. Its page shows what the run concluded, its figures
            beside published ones where there are any, its tables, and what was asked. Errors are
            measured against published, in percent. Figures marked <span class="badge">fitted</span>
            {" "}
            were used to fit the cost profile: their errors say nothing and are not counted.
          </p>
          <p>
            The trace hash is a digest of everything that guests could see. Two runs of one hash
            behaved alike to the last cycle; the same scenario, parameters and seed give the same
            hash.
          </p>
          <p>
            A run that was stopped, failed, or whose process was killed keeps what it had measured,
            and says so.
          </p>
        </section>
        <section>
          <h2>Live</h2>
          <p>
            The table has what <code>xentop</code>{" "}
            shows: each domain, its share of the physical CPUs, its memory, and what went through
            its devices. The boxes choose whose lines the plots show. Times are simulated; a machine
            that is not run stands still.
          </p>
          <p>
            The timeline shows which domain held which physical CPU, up to the present. The network
            is drawn as its bridges and whoever is plugged into them; thicker is busier.
          </p>
          <p>
            Watching never changes a run. Typing at a console does: it is an input, and belongs to
            the trace hash.
          </p>
        </section>
        <section>
          <h2>Keys</h2>
          <p>
            Everything can be reached with <kbd>Tab</kbd> and used with <kbd>Enter</kbd> or{" "}
            <kbd>Space</kbd>; wide tables scroll with the arrow keys. A console keeps all keys,{" "}
            <kbd>Tab</kbd> included, until <kbd>Ctrl</kbd> <kbd>]</kbd>.
          </p>
        </section>
        <section>
          <h2>From a terminal</h2>
          <p>
            <code>xenarium run</code> lists scenarios, <code>xenarium run NAME --help</code>{" "}
            their parameters, <code>xenarium runs list</code> the stored runs.{" "}
            <code>xenarium dashboard --port 0</code> takes any free port.
          </p>
          <p>
            This page is served to this machine only. <code>--host</code> with <code>--token</code>
            {" "}
            lets others in who know the token; everybody on the way can read what is sent, so use it
            in networks that you trust.
          </p>
        </section>
      </>
    ),
  }),
};

export default route;
