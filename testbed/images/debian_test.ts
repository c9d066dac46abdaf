import { assert, assertEquals, assertRejects } from "@std/assert";
import { type CpioEntry, readCpio } from "../../guests/linux/mod.ts";
import { addDebian, debian, debianFlavourOf } from "./debian.ts";
import { ImageError } from "./image_error.ts";
import { ImageStore } from "./image_store.ts";
import { FakeDebian, fakeVmlinux } from "./test_images.ts";

async function withStore(body: (store: ImageStore) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "xenarium-debian-" });
  try {
    await body(new ImageStore(directory));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function textOf(entries: readonly CpioEntry[], path: string): string {
  const entry = entries.find((other) => other.path === path);
  assert(entry?.kind === "file", `no file ${path}`);
  return new TextDecoder().decode(entry.data);
}

Deno.test("adding Debian follows the metapackage, downloads, unpacks and takes vmlinux out", async () => {
  await withStore(async (store) => {
    const runner = new FakeDebian(["amd64"]);
    const lines: string[] = [];
    const image = await addDebian("amd64", { store, runner, report: (line) => lines.push(line) });
    assertEquals(
      [image.name, image.release, Object.keys(image.files)],
      ["debian-amd64", "6.1-amd64", ["bzImage", "vmlinux", "busybox"]],
    );
    assertEquals(
      image.sources.map((source) => [source.package, source.version, source.sourcePackage]),
      [["linux-image-6.1-amd64", "6.1-1", "linux-signed"], ["busybox-static", "1:1.35", "busybox"]],
    );
    assertEquals(runner.commands.filter((line) => line.startsWith("apt")), [
      "apt-cache show --no-all-versions linux-image-amd64:amd64",
      "apt-cache show --no-all-versions linux-image-6.1-amd64:amd64",
      "apt-get download linux-image-6.1-amd64:amd64=6.1-1",
      "apt-cache show --no-all-versions busybox-static:amd64",
      "apt-get download busybox-static:amd64=1:1.35",
    ]);
    assertEquals(lines[0], "downloading linux-image-6.1-amd64:amd64=6.1-1");
  });
});

Deno.test("the guest has kernel, vmlinux, and an initramfs with busybox and the modules", async () => {
  await withStore(async (store) => {
    await addDebian("amd64", { store, runner: new FakeDebian(["amd64"]) });
    const extra: CpioEntry = { kind: "file", path: "root/hello", data: new Uint8Array(3) };
    const guest = await debian("amd64", { store, files: [extra] });
    assertEquals(guest.vmlinux, fakeVmlinux);
    assertEquals(guest.kernelPath, `${store.directory}/images/debian-amd64/vmlinuz`);
    assertEquals(guest.bzImage, await Deno.readFile(guest.kernelPath));
    assertEquals(guest.modules.names(), ["e1000", "ptp"]);
    const entries = readCpio(guest.initrd);
    assertEquals(textOf(entries, "bin/busybox"), "busybox");
    assertEquals(entries.find(({ path }) => path === "init")?.mode, 0o755);
    assertEquals(entries.find(({ path }) => path === "dev/console")?.kind, "character");
    assertEquals(textOf(entries, "etc/xenarium/load"), "e1000\n");
    assert(guest.modules.isBuiltIn("sd-mod"), "among the default modules, and nothing to load");
    const base = "lib/modules/6.1-amd64";
    assertEquals(
      textOf(entries, "etc/xenarium/modules/e1000"),
      `/${base}/kernel/drivers/ptp.ko\n/${base}/kernel/drivers/e1000.ko\n`,
    );
    assertEquals(
      textOf(entries, `${base}/modules.dep`),
      "kernel/drivers/ptp.ko:\nkernel/drivers/e1000.ko: kernel/drivers/ptp.ko\n",
    );
    assert(entries.some(({ path }) => path === "root/hello"));
    assertEquals((await debian("amd64", { store, files: [extra] })).initrd, guest.initrd);
  });
});

Deno.test("an architecture that the system's lists lack is fetched with lists of our own", async () => {
  await withStore(async (store) => {
    const runner = new FakeDebian(["amd64"]);
    const lines: string[] = [];
    const image = await addDebian("686", { store, runner, report: (line) => lines.push(line) });
    assertEquals([image.name, image.sources[0].architecture], ["debian-686", "i386"]);
    assertEquals(runner.commands.filter((line) => /update|download/.test(line)), [
      "apt-get (own lists) update",
      "apt-get (own lists) download linux-image-6.1-686:i386=6.1-1",
      "apt-get (own lists) download busybox-static:i386=1:1.35",
    ]);
    assert(lines[0].includes("do not have it for i386: fetching lists into"), lines[0]);
  });
});

Deno.test("a download that fails with old lists is tried again with fresh ones", async () => {
  await withStore(async (store) => {
    const runner = new FakeDebian(["amd64"], true);
    await addDebian("amd64", { store, runner });
    assertEquals(runner.commands.filter((line) => /update|download/.test(line)).slice(0, 3), [
      "apt-get download linux-image-6.1-amd64:amd64=6.1-1",
      "apt-get (own lists) update",
      "apt-get (own lists) download linux-image-6.1-amd64:amd64=6.1-1",
    ]);
  });
});

Deno.test("a package that apt does not know, a missing program and an image not added are named", async () => {
  await withStore(async (store) => {
    await assertRejects(
      () => addDebian("cloud-amd64", { store, runner: new FakeDebian(["amd64"]) }),
      ImageError,
      "apt knows no package linux-image-cloud-amd64:amd64",
    );
    await assertRejects(
      () => debian("686-pae", { store }),
      ImageError,
      "image debian-686-pae is not in the cache",
    );
    await addDebian("amd64", { store, runner: new FakeDebian(["amd64"]) });
    await assertRejects(
      () => debian("amd64", { store, modules: ["nvme"] }),
      ImageError,
      "this kernel has no module nvme",
    );
    assertEquals((await store.list()).map(({ name }) => name), ["debian-amd64"]);
  });
});

Deno.test("image names mean flavours", () => {
  assertEquals(
    ["debian", "debian-amd64", "debian-686-pae", "amd64", "debian-arm64", "mykernel"].map(
      debianFlavourOf,
    ),
    ["amd64", "amd64", "686-pae", null, null, null],
  );
});
