/** The cache of images: a directory with one folder for each image, and an index that describes them. */

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { ImageError } from "./image_error.ts";

/** One file of an image. */
export interface ImageFile {
  /** Path below the image's folder. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** A Debian package from which an image was made. */
export interface ImageSource {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly sourcePackage: string;
  /** Digest of the package file. */
  readonly sha256: string;
}

/** What the index knows of an image. */
export interface ImageRecord {
  /** For example `debian-amd64`. */
  readonly name: string;
  /** The kernel's release, for example `6.1.0-1-amd64`. */
  readonly release: string;
  readonly sources: readonly ImageSource[];
  /** Files by their role, for example `bzImage`. */
  readonly files: Readonly<Record<string, ImageFile>>;
}

interface Index {
  readonly version: 1;
  readonly images: readonly ImageRecord[];
}

/** `$XENARIUM_CACHE`, or `~/.cache/xenarium`. */
export function defaultCacheDirectory(): string {
  const chosen = Deno.env.get("XENARIUM_CACHE");
  if (chosen) return chosen;
  const home = Deno.env.get("HOME");
  if (!home) throw new ImageError("neither XENARIUM_CACHE nor HOME is set: no place for the cache");
  return `${home}/.cache/xenarium`;
}

/** The cache in `directory`, which is made when something is added. */
export class ImageStore {
  /** An absolute path. */
  readonly directory: string;

  constructor(directory: string = defaultCacheDirectory()) {
    this.directory = resolve(directory);
  }

  /** All images, by name. */
  async list(): Promise<ImageRecord[]> {
    const { images } = await this.#readIndex();
    return [...images].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** The image `name`, or `null`. */
  async find(name: string): Promise<ImageRecord | null> {
    return (await this.list()).find((image) => image.name === name) ?? null;
  }

  /** The image `name`; throws `RangeError` naming what there is. */
  async show(name: string): Promise<ImageRecord> {
    const image = await this.find(name);
    if (image) return image;
    const names = (await this.list()).map((other) => other.name).join(", ") || "none";
    throw new RangeError(
      `there is no image ${JSON.stringify(name)} in the cache (found: ${names})`,
    );
  }

  /** Deletes an image and its files; throws `RangeError` if there is none of that name. */
  async remove(name: string): Promise<ImageRecord> {
    const image = await this.show(name);
    const { images } = await this.#readIndex();
    await this.#writeIndex(images.filter((other) => other.name !== name));
    await Deno.remove(this.folder(name), { recursive: true }).catch(ignoreNotFound);
    return image;
  }

  /** The folder of the image `name`. */
  folder(name: string): string {
    return `${this.directory}/images/${name}`;
  }

  /** The path of the file that has `role` in `image`. */
  path(image: ImageRecord, role: string): string {
    const file = image.files[role];
    if (!file) throw new ImageError(`image ${image.name} has no file for ${role}; add it again`);
    return `${this.folder(image.name)}/${file.path}`;
  }

  /**
   * Adds or replaces an image: `build` fills an empty folder and describes it; only when it succeeds
   * does the folder take the image's place.
   */
  async put(
    name: string,
    build: (folder: string) => Promise<Omit<ImageRecord, "name">>,
  ): Promise<ImageRecord> {
    await Deno.mkdir(`${this.directory}/images`, { recursive: true });
    const folder = await Deno.makeTempDir({ dir: `${this.directory}/images`, prefix: `.${name}-` });
    try {
      const image: ImageRecord = { name, ...await build(folder) };
      await Deno.remove(this.folder(name), { recursive: true }).catch(ignoreNotFound);
      await Deno.rename(folder, this.folder(name));
      const { images } = await this.#readIndex();
      await this.#writeIndex([...images.filter((other) => other.name !== name), image]);
      return image;
    } catch (error) {
      await Deno.remove(folder, { recursive: true }).catch(ignoreNotFound);
      throw error;
    }
  }

  get #indexPath(): string {
    return `${this.directory}/images.json`;
  }

  async #readIndex(): Promise<Index> {
    let text: string;
    try {
      text = await Deno.readTextFile(this.#indexPath);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { version: 1, images: [] };
      throw error;
    }
    const index = parseIndex(text);
    if (index) return index;
    throw new ImageError(
      `${this.#indexPath} is damaged or of another version, expected version 1; ` +
        "delete it and add the images again",
    );
  }

  async #writeIndex(images: readonly ImageRecord[]): Promise<void> {
    const index: Index = { version: 1, images };
    const draft = `${this.#indexPath}.new`;
    await Deno.writeTextFile(draft, JSON.stringify(index, null, 2) + "\n");
    await Deno.rename(draft, this.#indexPath);
  }
}

function parseIndex(text: string): Index | null {
  try {
    const index = JSON.parse(text) as Partial<Index>;
    return index.version === 1 && Array.isArray(index.images) ? index as Index : null;
  } catch {
    return null;
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** SHA-256 of `bytes` in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Describes the file at `path` below `folder`. */
export async function describeFile(folder: string, path: string): Promise<ImageFile> {
  const bytes = await Deno.readFile(`${folder}/${path}`);
  return { path, sizeBytes: bytes.length, sha256: sha256(bytes) };
}
