import { assertEquals, assertRejects } from "@std/assert";
import { imageCatalogue } from "./catalogue.ts";
import { ImageStore } from "./image_store.ts";
import { FakeDebian } from "./test_images.ts";

Deno.test("the catalogue adds, shows, lists and removes; debian means debian-amd64", async () => {
  const directory = await Deno.makeTempDir({ prefix: "xenarium-catalogue-" });
  try {
    const catalogue = imageCatalogue(new ImageStore(directory), new FakeDebian(["amd64"]));
    const steps: string[] = [];
    const added = await catalogue.add("debian", (step, done, total) => {
      steps.push(`${done}/${total} ${step.split(" ")[0]}`);
    });
    assertEquals(steps, [
      "0/5 downloading",
      "1/5 unpacking",
      "2/5 downloading",
      "3/5 unpacking",
      "4/5 taking",
      "5/5 done",
    ]);
    assertEquals([added.name, added.summary], ["debian-amd64", "Debian's Linux 6.1-amd64"]);
    assertEquals(await catalogue.show("debian"), added);
    assertEquals(await catalogue.list(), [added]);
    assertEquals(added.details[0], ["release", "6.1-amd64"]);
    await assertRejects(() => catalogue.show("mykernel"), RangeError, "(found: debian-amd64)");
    await catalogue.remove("debian");
    assertEquals(await catalogue.list(), []);
    await assertRejects(() => catalogue.add("slackware", () => {}), RangeError, "slackware");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
