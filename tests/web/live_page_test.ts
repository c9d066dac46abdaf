/** Live pages and consoles in chromium: what streams in, what is typed, and what happens when a browser goes away. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import { assemble, createMachine } from "../../mod.ts";
import type { Cycles } from "../../core/clock/clock.ts";
import { LiveWatch } from "../../testbed/live/live_watch.ts";
import { writeElf } from "../../guests/tiny/mod.ts";
import {
  closeBrowser,
  DashboardRig,
  NEEDS_BROWSER,
  openWindow,
  type PlayedRun,
  sampleHost,
} from "../../web/testing/dashboard_rig.ts";
import { HOSTILE } from "../../web/testing/sample_runs.ts";

Deno.test.afterAll(closeBrowser);

/** Starts the scenario of the rig by its form. */
async function start(rig: DashboardRig, page: Page): Promise<PlayedRun> {
  await page.goto(`${rig.origin}/scenarios/disruptive_neighbour`);
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForURL("**/live/**");
  await page.locator("[data-island=live_view][data-awake]").waitFor();
  return rig.played.at(-1)!;
}

Deno.test(
  "a live page shows progress, domains, plots, schedule and network as they come",
  NEEDS_BROWSER,
  async () => {
    await using rig = new DashboardRig();
    const { page, problems, context } = await openWindow();
    const run = await start(rig, page);
    run.tell({ kind: "progress", progress: { fraction: 0.42, step: "measuring" } });
    run.tell({ kind: "line", text: "warming up" });
    for (let i = 1; i <= 20; i++) run.tell({ kind: "sample", sample: sampleHost(i / 4) });
    await page.getByText("42 %, measuring").waitFor();
    await page.getByText("warming up").waitFor();
    await page.getByText("5 s simulated", { exact: false }).first().waitFor();
    const row = page.getByRole("row", { name: "web2" });
    assertStringIncludes(await row.innerText(), "128 MiB");
    assertEquals(await page.locator(".uplot canvas").count(), 4);
    assertEquals(
      await page.getByRole("img", { name: "Which domain held each of 2 CPUs" }).count(),
      1,
    );
    assertEquals(await page.getByRole("img", { name: "Bridge br0 with 3 ports" }).count(), 1);
    run.end("complete");
    await page.getByRole("link", { name: "See its results" }).click();
    await page.waitForURL(`**/runs/${run.id}`);
    assertEquals(problems, []);
    await context.close();
  },
);

Deno.test("two runs at once are watched apart, and stopped apart", NEEDS_BROWSER, async () => {
  await using rig = new DashboardRig();
  const { context, page: one } = await openWindow();
  const two = await context.newPage();
  const first = await start(rig, one);
  const second = await start(rig, two);
  first.tell({ kind: "line", text: "of the first" });
  second.tell({ kind: "line", text: "of the second" });
  await one.getByText("of the first").waitFor();
  await two.getByText("of the second").waitFor();
  assertEquals(await one.getByText("of the second").count(), 0);
  await two.getByRole("button", { name: "Stop it" }).click();
  await two.waitForLoadState();
  assertEquals([first.stopped, second.stopped], [false, true]);
  await one.goto(`${rig.origin}/live`);
  assertEquals(await one.locator(".cards h2").count(), 2);
  await context.close();
});

Deno.test(
  "a browser that is cut off in mid-stream harms nobody, and comes back to everything",
  NEEDS_BROWSER,
  async () => {
    await using rig = new DashboardRig();
    const { context, page } = await openWindow();
    const run = await start(rig, page);
    run.tell({ kind: "line", text: "before" });
    await page.getByText("before").waitFor();
    await context.close();
    for (let i = 0; i < 2000; i++) run.tell({ kind: "sample", sample: sampleHost(i / 4) });
    run.tell({ kind: "line", text: "meanwhile" });
    const again = await openWindow();
    await again.page.goto(`${rig.origin}/live/${run.id}`);
    await again.page.getByText("before").waitFor();
    await again.page.getByText("meanwhile").waitFor();
    await again.page.getByText("8 min 19", { exact: false }).first().waitFor();
    await again.context.close();
  },
);

Deno.test("a stream that nobody reads does not grow; its reader begins anew", async () => {
  await using rig = new DashboardRig();
  const form = new URLSearchParams({ clients: "1" });
  const started = await fetch(`${rig.origin}/scenarios/disruptive_neighbour`, {
    method: "POST",
    headers: { origin: rig.origin },
    body: form,
    redirect: "manual",
  });
  await started.body?.cancel();
  const run = rig.played[0];
  const stream = await fetch(`${rig.origin}/live/${run.id}/stream`);
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  assertStringIncludes((await reader.read()).value!, "event: state");
  for (let i = 1; i <= 3000; i++) run.tell({ kind: "line", text: `line ${i}` });
  let text = "";
  while (!text.includes("line 3000")) text += (await reader.read()).value!;
  // What was thrown away comes back as one state with the last lines, instead of 3,000 events.
  assertStringIncludes(text, "event: state");
  assertEquals(text.split("event: lines").length - 1 < 600, true);
  await reader.cancel();
});

Deno.test(
  "what guests print, are called, or answer never becomes markup",
  NEEDS_BROWSER,
  async () => {
    await using rig = new DashboardRig();
    const { page, context } = await openWindow();
    const run = await start(rig, page);
    const sample = sampleHost(1);
    const domains = sample.domains.map((domain) => ({ ...domain, name: HOSTILE }));
    const links = sample.links.map((link) => ({ ...link, bridge: HOSTILE, port: HOSTILE }));
    run.tell({ kind: "sample", sample: { ...sample, domains, links } });
    run.tell({ kind: "line", text: HOSTILE });
    run.tell({ kind: "console", key: HOSTILE, title: HOSTILE, text: HOSTILE });
    run.tell({
      kind: "output",
      key: HOSTILE,
      text: `\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07`,
    });
    await page.getByText("<script>", { exact: false }).first().waitFor();
    const isHarmed = () => page.evaluate(() => "injected" in globalThis);
    assertEquals([await isHarmed(), await page.locator("main img").count()], [false, 0]);
    await page.getByRole("link", { name: "open the console" }).click();
    await page.getByText("connected", { exact: true }).waitFor();
    await page.locator(".xterm-rows").getByText("<script>", { exact: false }).first()
      .waitFor();
    assertEquals([await isHarmed(), await page.locator("main img").count()], [false, 0]);
    await context.close();
  },
);

/** A kernel that says what it hears on the first serial port, in brackets. */
const ECHO = `
        mov dx, 0x3fb         ; line control: eight bits
        mov al, 3
        out dx, al
        mov dx, 0x3f8
        mov al, '>'
        out dx, al
next:   mov dx, 0x3fd
        in al, dx
        test al, 1
        jz next
        mov dx, 0x3f8
        in al, dx
        mov ah, al
        mov al, '['
        out dx, al
        mov al, ah
        out dx, al
        mov al, ']'
        out dx, al
        jmp next
`;

Deno.test(
  "what is typed in a browser reaches a real guest, and its answer comes back",
  NEEDS_BROWSER,
  async () => {
    const origin = 0x10_0000;
    const { bytes } = assemble(ECHO, { bits: 32, origin });
    const kernel = writeElf({
      bits: 32,
      address: origin,
      entry: origin,
      bytes,
      notes: [[18, origin]],
    });
    const machine = await createMachine({ name: "echo", kernel, memory: "4MiB", engine: "cold" });
    await using rig = new DashboardRig();
    const { page, problems, context } = await openWindow();
    const run = await start(rig, page);
    const watch = new LiveWatch((news) => run.tell(news), { everyMs: 50 });
    // In steps: a kernel that polls would leave the server no time.
    const steps = setInterval(async () => {
      for (const { console, text } of run.typed.splice(0)) watch.type(console, text);
      if (!machine.running) await machine.run({ forCycles: 50_000 as Cycles });
    }, 20);
    await page.getByRole("link", { name: "open the console of echo" }).click();
    await page.getByText("connected", { exact: true }).waitFor();
    await page.keyboard.type("xen");
    await page.locator(".xterm-rows").getByText(">[x][e][n]").first().waitFor();
    await page.keyboard.press("Control+]");
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    assertEquals(focused, "Type into the console");
    assertEquals(problems, []);
    clearInterval(steps);
    watch.stop();
    await context.close();
  },
);
