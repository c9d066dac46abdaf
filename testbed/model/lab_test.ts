import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Lab, LAB_PLATFORMS } from "./lab.ts";

for (const platform of LAB_PLATFORMS) {
  Deno.test(`${platform}: a database answers, a program computes, the web serves, and all of it is in the trace`, async () => {
    const tell = async () => {
      const lab = await Lab.boot({ platform, cpus: 2, memory: "1GiB" });
      const [first, second, third] = ["a", "b", "c"].map((name) =>
        lab.system({ name, memory: "128MiB" })
      );
      const database = first.start("osdb-ir");
      const web = lab.web([second], { connections: 4 });
      const computing = third.start("compute");
      await lab.run("2s");
      assert(database.count > 20, `${database.count} tuples`);
      assert(web.requests > 2, `${web.requests} requests`);
      assert(computing.count > 0.1 && computing.count < 2, `${computing.count} s`);
      assert(lab.busySeconds > 1 && lab.busySeconds <= 4, `${lab.busySeconds} s busy`);
      return lab.trace.hash;
    };
    assertEquals(await tell(), await tell());
  });
}

Deno.test("a system may go while the disk works for it, and the others go on", async () => {
  const lab = await Lab.boot({ platform: "xen-pv", cpus: 1, memory: "1GiB" });
  const [hog, other] = ["hog", "other"].map((name) => lab.system({ name, memory: "64MiB" }));
  hog.start("disk hog");
  hog.start("small files");
  const computing = other.start("compute");
  await lab.run("1s");
  lab.destroy(hog);
  const before = computing.count;
  await lab.run("1s");
  assertEquals(lab.systems.map(({ name }) => name), ["other"]);
  assert(computing.count - before > 0.9, `${computing.count - before} s`);
});

Deno.test("what cannot be is refused", async () => {
  const native = await Lab.boot({ platform: "native", memory: "256MiB" });
  const system = native.system({ name: "a", memory: "64MiB" });
  assertThrows(() => native.destroy(system), RangeError, "share a kernel");
  const domains = await Lab.boot({ platform: "xen-pv", memory: "256MiB" });
  assertThrows(() => domains.system({ name: "a", memory: "1GiB" }), RangeError, "1GiB");
  await assertRejects(() => Lab.boot({ platform: "xen-pv", profile: "x" }), RangeError, "profile");
});
