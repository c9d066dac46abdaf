import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { ImageError } from "./image_error.ts";
import { KernelModules } from "./kernel_modules.ts";
import { moduleObject } from "./test_images.ts";

/** Writes modules with their .modinfo strings below `directory`; a name with .gz is packed. */
async function writeModules(
  directory: string,
  modules: Readonly<Record<string, readonly string[]>>,
  builtin: readonly string[] = [],
): Promise<void> {
  for (const [path, info] of Object.entries(modules)) {
    const file = `${directory}/kernel/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    const bytes = moduleObject(info);
    await Deno.writeFile(file, path.endsWith(".gz") ? gzipSync(bytes) : bytes);
  }
  await Deno.writeTextFile(
    `${directory}/modules.builtin`,
    builtin.map((path) => `kernel/${path}\n`).join(""),
  );
}

async function withModules(
  body: (modules: KernelModules) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "xenarium-modules-" });
  try {
    await writeModules(directory, {
      "fs/ext4/ext4.ko": ["depends=jbd2,mbcache", "softdep=pre: crc32c", "license=GPL"],
      "fs/jbd2/jbd2.ko.gz": ["depends="],
      "fs/mbcache.ko": ["depends=crypto_core"],
      "crypto/crc32c_generic.ko": ["depends=", "alias=crc32c", "alias=crypto-crc32c"],
      "drivers/xen-blkfront.ko": ["softdep=post: late pre: loop_a"],
      "drivers/loop-a.ko": ["depends=loop-b"],
      "drivers/loop-b.ko": ["softdep=pre: loop-a"],
      "drivers/broken.ko": ["depends=absent"],
    }, ["crypto/crypto-core.ko"]);
    await body(await KernelModules.open(directory));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("modules come after what they need: dependencies, soft ones by alias, built-in ones left out", async () => {
  await withModules(async (modules) => {
    const order = await modules.loadOrder(["ext4"]);
    assertEquals(order.map(({ name, path }) => [name, path]), [
      ["crc32c_generic", "kernel/crypto/crc32c_generic.ko"],
      ["jbd2", "kernel/fs/jbd2/jbd2.ko"],
      ["mbcache", "kernel/fs/mbcache.ko"],
      ["ext4", "kernel/fs/ext4/ext4.ko"],
    ]);
    assertEquals(order[3].depends, ["crc32c_generic", "jbd2", "mbcache"]);
    assertEquals(order[1].bytes, moduleObject(["depends="]));
  });
});

Deno.test("a hyphen is an underscore, and modules that name each other do not hang", async () => {
  await withModules(async (modules) => {
    const order = await modules.loadOrder(["xen-blkfront"]);
    assertEquals(order.map(({ name }) => name), ["loop_b", "loop_a", "xen_blkfront"]);
    assertEquals(["xen-blkfront", "crypto_core", "nvme"].map((name) => modules.has(name)), [
      true,
      true,
      false,
    ]);
  });
});

Deno.test("an unknown module is named with who needs it", async () => {
  await withModules(async (modules) => {
    await assertRejects(() => modules.loadOrder(["nvme"]), ImageError, "has no module nvme (in ");
    await assertRejects(
      () => modules.loadOrder(["broken"]),
      ImageError,
      "has no module absent, which broken needs",
    );
  });
});

Deno.test("a folder without modules is refused", async () => {
  await assertRejects(() => KernelModules.open("/nonexistent"), ImageError, "no kernel modules");
});
