import { assertEquals, assertRejects } from "@std/assert";
import { readExisting } from "./read_existing.ts";

Deno.test("a file that is not there is named", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, Uint8Array.of(7));
  assertEquals(await readExisting(path), Uint8Array.of(7));
  await Deno.remove(path);
  await assertRejects(() => readExisting(path), RangeError, `there is no file ${path}`);
});
