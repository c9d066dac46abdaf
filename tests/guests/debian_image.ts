/** Debian's kernels and packages for whole-system tests: fetched once into the cache. */

import {
  addDebian,
  Apt,
  type DebianArchitecture,
  type DebianFlavour,
  debianImageName,
  defaultCacheDirectory,
  hostRunner,
  ImageError,
  ImageStore,
} from "../../testbed/images/mod.ts";

/**
 * The cache with the kernel of `flavour` in it, or `null` with a reason printed where it cannot be had;
 * under CI that is an error.
 */
export async function requireDebian(flavour: DebianFlavour): Promise<ImageStore | null> {
  const store = testStore();
  if (await store.find(debianImageName(flavour))) return store;
  return await orSkip(async () => {
    await addDebian(flavour, { store });
    return store;
  });
}

/**
 * The folder of a Debian package unpacked in the cache, or `null` with a reason printed where it cannot
 * be had; under CI that is an error.
 */
export async function requirePackage(
  name: string,
  architecture: DebianArchitecture,
): Promise<string | null> {
  const store = testStore();
  const folder = `${store.directory}/packages/${name}-${architecture}`;
  if (await Deno.stat(folder).then(() => true, () => false)) return folder;
  return await orSkip(async () => {
    await Deno.mkdir(`${store.directory}/packages`, { recursive: true });
    const draft = await Deno.makeTempDir({ dir: `${store.directory}/packages`, prefix: ".new-" });
    const apt = new Apt(hostRunner, `${store.directory}/apt-${architecture}`);
    const { file } = await apt.fetch(name, architecture, draft);
    const { code, stderr } = await hostRunner.run("dpkg-deb", ["-x", file, `${draft}/root`]);
    if (code !== 0) throw new ImageError(`dpkg-deb cannot unpack ${name}: ${stderr}`);
    await Deno.rename(`${draft}/root`, folder);
    await Deno.remove(draft, { recursive: true });
    return folder;
  });
}

async function orSkip<T>(fetch: () => Promise<T>): Promise<T | null> {
  try {
    return await fetch();
  } catch (error) {
    if (!(error instanceof ImageError) || Deno.env.get("CI") === "true") throw error;
    console.warn(`skipped: ${error.message}`);
    return null;
  }
}

/** `$XENARIUM_CACHE` if it is set; otherwise a folder that the test tasks may write to. */
function testStore(): ImageStore {
  const chosen = Deno.env.get("XENARIUM_CACHE");
  return new ImageStore(chosen ? defaultCacheDirectory() : ".cache/xenarium");
}
