import { assertEquals, assertRejects } from "@std/assert";
import { pathToFileURL } from "node:url";
import { scenarioShelf } from "./scenario_shelf.ts";

/** Runs `body` with a shelf of one good and one bad scenario. */
async function withShelf(
  body: (shelf: ReturnType<typeof scenarioShelf>, folder: string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  const good = `export default { summary: "good", run: () => Promise.resolve() };`;
  await Deno.writeTextFile(`${folder}/good.ts`, good);
  await Deno.writeTextFile(`${folder}/good_test.ts`, "");
  await Deno.writeTextFile(`${folder}/bad.ts`, "export default 1;");
  try {
    await body(scenarioShelf(pathToFileURL(`${folder}/`)), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a folder's scenarios are listed by name and loaded by name or by path", () =>
  withShelf(async (shelf, folder) => {
    assertEquals(await shelf.names(), ["bad", "good"]);
    assertEquals((await shelf.load("good")).scenario.summary, "good");
    assertEquals((await shelf.load(`${folder}/good.ts`)).scenario.summary, "good");
  }));

Deno.test("what is no scenario is refused with what would be right", () =>
  withShelf(async (shelf) => {
    await assertRejects(() => shelf.load("god"), RangeError, "did you mean good?");
    await assertRejects(
      () => shelf.load("./absent.ts"),
      RangeError,
      "there is no file ./absent.ts",
    );
    await assertRejects(() => shelf.load("bad"), TypeError, "expected a default export");
  }));
