/** Files that somebody names: one that is not there is the caller's mistake, told in words. */

/** All of a file. Rejects with `RangeError` if there is none of that name. */
export async function readExisting(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new RangeError(`there is no file ${path}`);
  }
}
