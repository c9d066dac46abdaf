import { assertEquals, assertRejects } from "@std/assert";
import { TextWaiter } from "./linux.ts";

Deno.test("text is waited for behind what was waited for before, in pieces or at once", async () => {
  const waiter = new TextWaiter();
  const met: string[] = [];
  const wait = async (text: string) => {
    await waiter.waitFor(text);
    met.push(text);
  };
  waiter.add("# # do");
  await wait("# ");
  await wait("# ");
  const third = wait("done");
  await Promise.resolve();
  assertEquals(met, ["# ", "# "]);
  waiter.add("ne # ");
  await third;
  await wait("# ");
  assertEquals(met, ["# ", "# ", "done", "# "]);
});

Deno.test("waiting fails once no more text will come", async () => {
  const waiter = new TextWaiter();
  const waiting = waiter.waitFor("# ");
  waiter.fail(new Error("ended"));
  await assertRejects(() => waiting, Error, "ended");
  await assertRejects(() => waiter.waitFor("# "), Error, "ended");
});
