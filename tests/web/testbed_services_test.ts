/** The dashboard over a real store and real scenarios: started from pages, two at once, and found afterwards. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { RunStore } from "../../mod.ts";
import { serveDashboard, testbedServices } from "../../web/mod.ts";
import { eventually } from "../../web/testing/dashboard_rig.ts";

/** A dashboard over a store of its own, both gone afterwards. */
async function withDashboard(
  use: (origin: string, store: RunStore) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "xenarium-web-" });
  const store = RunStore.open(`${folder}/runs.sqlite`);
  const dashboard = serveDashboard({ services: testbedServices(store), port: 0 });
  try {
    await use(`http://localhost:${dashboard.port}`, store);
  } finally {
    await dashboard.close();
    store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function post(
  origin: string,
  path: string,
  fields: Record<string, string>,
): Promise<Response> {
  const response = await fetch(origin + path, {
    method: "POST",
    headers: { origin },
    body: new URLSearchParams(fields),
    redirect: "manual",
  });
  await response.body?.cancel();
  return response;
}

Deno.test("two runs started at once are both kept, and have the same trace hash", async () => {
  await withDashboard(async (origin, store) => {
    const answers = await Promise.all(
      [1, 2].map(() => post(origin, "/scenarios/tiny_kernels", {})),
    );
    assertEquals(answers.map(({ status }) => status), [303, 303]);
    await eventually(() => {
      assertEquals(store.list().map(({ status }) => status), ["complete", "complete"]);
      return Promise.resolve();
    }, 60_000);
    const [one, two] = store.list();
    assertEquals(one.traceHash, two.traceHash);
    assertEquals(
      answers.map(({ headers }) => headers.get("location")?.slice("/live/".length)).sort(),
      [one.id, two.id].sort(),
    );
    const page = await (await fetch(`${origin}/runs/${one.id}`)).text();
    assertStringIncludes(page, one.traceHash!);
    const json = await (await fetch(`${origin}/runs/${one.id}/files/${one.id}.json`)).json();
    assertEquals(json.id, one.id);
  });
});

Deno.test("a seed that is none is told in the form, and nothing is started", async () => {
  await withDashboard(async (origin, store) => {
    const answer = await fetch(`${origin}/scenarios/tiny_kernels`, {
      method: "POST",
      headers: { origin },
      body: new URLSearchParams({ seed: "-1" }),
    });
    assertEquals(answer.status, 400);
    assertStringIncludes(await answer.text(), "expected a whole number from 0 to 4294967295");
    assertEquals(store.list(), []);
  });
});

Deno.test("every scenario has a card and a form", async () => {
  await withDashboard(async (origin) => {
    const page = await (await fetch(`${origin}/scenarios`)).text();
    const names = [...page.matchAll(/href="\/scenarios\/([\w-]+)"/g)].map(([, name]) => name);
    assertEquals(names.includes("tiny_kernels"), true);
    for (const name of names) {
      const form = await fetch(`${origin}/scenarios/${name}`);
      assertEquals([name, form.status], [name, 200]);
      assertStringIncludes(await form.text(), `name="seed"`);
    }
  });
});
