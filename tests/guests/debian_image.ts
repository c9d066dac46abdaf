/** Debian's kernels for whole-system tests: fetched once into the cache, then taken from there. */

import {
  addDebian,
  type DebianFlavour,
  debianImageName,
  defaultCacheDirectory,
  ImageError,
  ImageStore,
} from "../../testbed/images/mod.ts";

/**
 * The cache with the kernel of `flavour` in it, or `null` with a reason printed where it cannot be had;
 * under CI that is an error.
 */
export async function requireDebian(flavour: DebianFlavour): Promise<ImageStore | null> {
  const store = new ImageStore(testCacheDirectory());
  if (await store.find(debianImageName(flavour))) return store;
  try {
    await addDebian(flavour, { store });
    return store;
  } catch (error) {
    if (!(error instanceof ImageError) || Deno.env.get("CI") === "true") throw error;
    console.warn(`skipped: ${error.message}`);
    return null;
  }
}

/** `$XENARIUM_CACHE` if it is set; otherwise a folder that the test tasks may write to. */
function testCacheDirectory(): string {
  return Deno.env.get("XENARIUM_CACHE") ? defaultCacheDirectory() : ".cache/xenarium";
}
