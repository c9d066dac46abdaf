import { assertEquals, assertRejects } from "@std/assert";
import { ImageError } from "./image_error.ts";
import { describeFile, ImageStore } from "./image_store.ts";

async function withStore(body: (store: ImageStore) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "xenarium-store-" });
  try {
    await body(new ImageStore(`${directory}/cache`));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function add(store: ImageStore, name: string, content: string): Promise<void> {
  await store.put(name, async (folder) => {
    await Deno.writeTextFile(`${folder}/vmlinuz`, content);
    const bzImage = await describeFile(folder, "vmlinuz");
    return { release: "6.1", sources: [], files: { bzImage } };
  });
}

Deno.test("an empty cache lists nothing and names nothing", async () => {
  await withStore(async (store) => {
    assertEquals(await store.list(), []);
    assertEquals(await store.find("a"), null);
    await assertRejects(
      () => store.show("a"),
      RangeError,
      'no image "a" in the cache (found: none)',
    );
  });
});

Deno.test("an image is added, found by another store on the same folder, replaced and removed", async () => {
  await withStore(async (store) => {
    await add(store, "b", "two");
    await add(store, "a", "one");
    await add(store, "b", "three");
    const again = new ImageStore(store.directory);
    assertEquals((await again.list()).map(({ name }) => name), ["a", "b"]);
    const image = await again.show("b");
    assertEquals(await Deno.readTextFile(again.path(image, "bzImage")), "three");
    assertEquals(image.files.bzImage, {
      path: "vmlinuz",
      sizeBytes: 5,
      sha256: "8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f",
    });
    await assertRejects(async () => again.path(await again.show("b"), "vmlinux"), ImageError);
    await again.remove("b");
    assertEquals((await store.list()).map(({ name }) => name), ["a"]);
    await assertRejects(() => store.remove("b"), RangeError, "(found: a)");
    assertEquals(
      [...Deno.readDirSync(`${store.directory}/images`)].map(({ name }) => name),
      ["a"],
    );
  });
});

Deno.test("a build that fails leaves the old image and no rubbish", async () => {
  await withStore(async (store) => {
    await add(store, "a", "one");
    await assertRejects(() => store.put("a", () => Promise.reject(new Error("no"))), Error, "no");
    const image = await store.show("a");
    assertEquals(await Deno.readTextFile(store.path(image, "bzImage")), "one");
    assertEquals([...Deno.readDirSync(`${store.directory}/images`)].length, 1);
  });
});

Deno.test("a damaged index and one of another version are named", async () => {
  await withStore(async (store) => {
    await add(store, "a", "one");
    for (const text of ["{", '{"version":2,"images":[]}']) {
      await Deno.writeTextFile(`${store.directory}/images.json`, text);
      await assertRejects(() => store.list(), ImageError, "expected version 1");
    }
  });
});
