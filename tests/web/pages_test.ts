/** Pages in Debian's chromium: what they show, by which keys, in which colours, how wide; and what never becomes markup. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunRecord } from "../../mod.ts";
import {
  closeBrowser,
  DashboardRig,
  eventually,
  NEEDS_BROWSER,
  openWindow,
} from "../../web/testing/dashboard_rig.ts";
import { HOSTILE } from "../../web/testing/sample_runs.ts";

const PAGES = [
  "/",
  "/runs/0a1b2c3d",
  "/compare?run=0a1b2c3d&run=11111111",
  "/scenarios",
  "/scenarios/disruptive_neighbour",
  "/live",
  "/help",
] as const;

Deno.test.afterAll(closeBrowser);

function furnished(): DashboardRig {
  const rig = new DashboardRig();
  rig.add({ id: "11111111" as RunRecord["id"], seed: 2, status: "interrupted", traceHash: "f" });
  return rig;
}

Deno.test("every page renders without an error, and its islands awake", NEEDS_BROWSER, async () => {
  await using rig = furnished();
  const { page, problems, context } = await openWindow();
  for (const path of PAGES) {
    await page.goto(rig.origin + path);
    await page.locator("[data-island]:not([data-awake])").waitFor({ state: "detached" });
    assertEquals(await page.locator("h1").count(), 1, path);
  }
  assertEquals(problems, []);
  await context.close();
});

Deno.test(
  "a run's page has measured beside published, its error, and what was fitted",
  NEEDS_BROWSER,
  async () => {
    await using rig = furnished();
    const { page, context } = await openWindow();
    await page.goto(`${rig.origin}/runs/0a1b2c3d`);
    const group = page.getByRole("group", { name: "OSDB-IR" });
    assertEquals((await group.locator(".bar:not(.axis-row) .value").allInnerTexts()).map(plain), [
      "1 650 tuples/s −3.7 %",
      "1 714 tuples/s",
      "1 710 tuples/s +0.5 %, fitted",
      "1 702 tuples/s",
    ]);
    await page.getByText("All figures of this comparison").click();
    const rows = await page.locator("details table tbody tr").allInnerTexts();
    assertEquals(plain(rows[0]), "OSDB-IR Xen 1 650 tuples/s 1 617 to 1 683 1 714 −3.7 %");
    assertStringIncludes(
      plain(await page.locator("main").innerText()),
      "over 3 figures that nothing was fitted to",
    );
    await context.close();
  },
);

Deno.test(
  "runs are found by words, filtered, and sorted by their headings",
  NEEDS_BROWSER,
  async () => {
    await using rig = furnished();
    const { page, context } = await openWindow();
    await page.goto(rig.origin);
    const ids = async (...expected: string[]) => {
      const shown = async () =>
        (await page.locator("tbody .mono").allInnerTexts()).map((text) => text.split(" ").at(-1));
      await eventually(async () => assertEquals(await shown(), expected));
    };
    await ids("11111111", "0a1b2c3d");
    await page.getByRole("searchbox").fill("neighbour 1111");
    await page.keyboard.press("Enter");
    await ids("11111111");
    await page.getByRole("link", { name: "Show all" }).click();
    await ids("11111111", "0a1b2c3d");
    await page.getByRole("columnheader").getByRole("link", { name: "Status" }).click();
    await page.locator("th[aria-sort=descending]", { hasText: "Status" }).waitFor();
    await ids("11111111", "0a1b2c3d");
    await page.getByRole("columnheader").getByRole("link", { name: "Status" }).click();
    await ids("0a1b2c3d", "11111111");
    await context.close();
  },
);

Deno.test(
  "by keyboard alone: skip link, masthead, choosing two runs and comparing them",
  NEEDS_BROWSER,
  async () => {
    await using rig = furnished();
    const { page, context } = await openWindow();
    await page.goto(rig.origin);
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
    await page.keyboard.press("Tab");
    assertEquals(await focused(), "Skip to the content");
    const outline = await page.evaluate(() =>
      getComputedStyle(document.activeElement!).outlineStyle
    );
    assertEquals(outline, "solid");
    for (const name of ["Xenarium", "Runs", "Scenarios", "Live", "Help"]) {
      await page.keyboard.press("Tab");
      assertEquals(await focused(), name);
    }
    for (let chosen = 0, presses = 0; chosen < 2 && presses < 40; presses++) {
      await page.keyboard.press("Tab");
      const type = await page.evaluate(() => document.activeElement?.getAttribute("type"));
      if (type !== "checkbox") continue;
      await page.keyboard.press("Space");
      chosen++;
    }
    for (let presses = 0; presses < 20 && !(await focused()).startsWith("Compare"); presses++) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.waitForURL("**/compare?run=11111111&run=0a1b2c3d");
    assertStringIncludes(await page.locator("main").innerText(), "Their trace hashes differ.");
    await context.close();
  },
);

Deno.test(
  "colours follow the system, or the switch, on the next page too",
  NEEDS_BROWSER,
  async () => {
    await using rig = furnished();
    const { page, context } = await openWindow({ colorScheme: "dark" });
    const paper = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    await page.goto(rig.origin);
    assertEquals(await paper(), "rgb(21, 24, 27)");
    await page.locator("[data-island=theme_switch][data-awake]").waitFor();
    await page.getByLabel("Colours").selectOption("light");
    assertEquals(await paper(), "rgb(252, 252, 250)");
    await page.goto(`${rig.origin}/help`);
    assertEquals(await paper(), "rgb(252, 252, 250)");
    assertEquals(await page.getByLabel("Colours").inputValue(), "light");
    await context.close();
  },
);

Deno.test("text stands out from its background in both themes", NEEDS_BROWSER, async () => {
  await using rig = furnished();
  for (const colorScheme of ["light", "dark"] as const) {
    const { page, context } = await openWindow({ colorScheme });
    await page.goto(`${rig.origin}/runs/0a1b2c3d`);
    const contrasts = await page.evaluate(() => {
      const luminance = (colour: string) => {
        const [r, g, b] = colour.match(/\d+(?:\.\d+)?/g)!.slice(0, 3).map((part) => {
          const value = Number(part) / 255;
          return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const paper = luminance(getComputedStyle(document.documentElement).backgroundColor);
      const selectors = ["main", ".soft", "main a:not(.button)", ".status", ".unit", ".badge"];
      return selectors.map((selector): [string, number] => {
        const ink = luminance(getComputedStyle(document.querySelector(selector)!).color);
        const [low, high] = [ink, paper].sort((a, b) => a - b);
        return [selector, (high + 0.05) / (low + 0.05)];
      });
    });
    // WCAG 2.2, success criterion 1.4.3: 4.5 to 1.
    for (const [selector, contrast] of contrasts) {
      assert(contrast >= 4.5, `${selector}, ${colorScheme}: ${contrast}`);
    }
    await context.close();
  }
});

Deno.test("on a phone no page is wider than the screen", NEEDS_BROWSER, async () => {
  await using rig = furnished();
  const { page, context } = await openWindow({ viewport: { width: 360, height: 740 } });
  const widths: [string, number][] = [];
  for (const path of PAGES) {
    await page.goto(rig.origin + path);
    widths.push([path, await page.evaluate(() => document.documentElement.scrollWidth)]);
  }
  assertEquals(widths, PAGES.map((path) => [path, 360]));
  await context.close();
});

Deno.test(
  "what a run is named, says, or was told never becomes markup",
  NEEDS_BROWSER,
  async () => {
    await using rig = new DashboardRig();
    const hostileTable = {
      name: HOSTILE,
      title: HOSTILE,
      columns: [{ name: HOSTILE, unit: HOSTILE }, { name: HOSTILE, unit: "" }],
      rows: [[HOSTILE, 1]],
      notes: [HOSTILE],
    };
    rig.add({
      id: "bad00bad" as RunRecord["id"],
      scenario: HOSTILE,
      title: HOSTILE,
      parameters: { [HOSTILE]: HOSTILE },
      profile: HOSTILE,
      error: HOSTILE,
      conclusions: [HOSTILE],
      log: [HOSTILE],
      tables: [hostileTable],
      images: [{ name: HOSTILE, sha256: HOSTILE }],
      figures: [{ name: "f", title: HOSTILE, kind: "bars", of: { table: HOSTILE } }],
      traceHash: HOSTILE,
    });
    const { page, context } = await openWindow();
    const paths = ["/", "/runs/bad00bad", "/compare?run=bad00bad&run=0a1b2c3d", "/scenarios"];
    for (const path of [...paths, "/scenarios/hostile", `/runs/${encodeURIComponent(HOSTILE)}`]) {
      await page.goto(rig.origin + path);
      assertEquals(await page.locator("main img, main script").count(), 0, path);
      assertEquals(await page.evaluate(() => "injected" in globalThis), false, path);
      assertStringIncludes(await page.locator("main").innerText(), "<script>", path);
    }
    await context.close();
  },
);

Deno.test(
  "a form starts its scenario with what was typed, or says what is wrong and keeps it",
  NEEDS_BROWSER,
  async () => {
    await using rig = new DashboardRig();
    const { page, context } = await openWindow();
    await page.goto(`${rig.origin}/scenarios/disruptive_neighbour`);
    await page.getByLabel("duration").fill("20s");
    await page.getByLabel("platform").selectOption("native");
    await page.getByLabel("clients").fill("99");
    await page.evaluate(() => document.querySelector("form.sheet")!.setAttribute("novalidate", ""));
    await page.getByLabel("clients").fill("1000");
    await page.getByRole("button", { name: "Start" }).click();
    assertStringIncludes(
      await page.getByRole("alert").innerText(),
      "clients is at most 100, found 1000",
    );
    assertEquals(await page.getByLabel("duration").inputValue(), "20s");
    assertEquals(await page.getByLabel("clients").getAttribute("aria-invalid"), "true");
    await page.getByLabel("clients").fill("8");
    await page.getByRole("button", { name: "Start" }).click();
    await page.waitForURL("**/live/feed0000");
    assertEquals(rig.played.map(({ scenario, fields }) => ({ scenario, fields })), [{
      scenario: "disruptive_neighbour",
      fields: { clients: "8", platform: "native", duration: "20s", seed: "1", trace: "false" },
    }]);
    await context.close();
  },
);

Deno.test("a run can be downloaded and, once ended, deleted", NEEDS_BROWSER, async () => {
  await using rig = furnished();
  const { page, context } = await openWindow();
  await page.goto(`${rig.origin}/runs/0a1b2c3d`);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "run.json" }).click(),
  ]);
  assertEquals(download.suggestedFilename(), "run.json");
  await page.getByText("Delete this run").click();
  await page.getByRole("button", { name: "Delete it for good" }).click();
  await page.waitForURL(`${rig.origin}/`);
  assertEquals([...rig.runs.keys()], ["11111111"]);
  await context.close();
});

/** One line, with ordinary spaces. */
function plain(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
