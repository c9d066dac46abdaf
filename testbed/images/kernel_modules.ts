/**
 * The modules of an unpacked kernel package. The package has no modules.dep (depmod makes that when it
 * is installed), so dependencies are read from the modules themselves: section .modinfo, fields
 * `depends` and `softdep` (modprobe.d(5), kernel include/linux/module.h).
 */

import { elfSection } from "../../guests/linux/mod.ts";
import { compressionOf, decompress } from "./decompress.ts";
import { ImageError } from "./image_error.ts";

/** A module to load. */
export interface KernelModule {
  /** With underscores, as /proc/modules has it. */
  readonly name: string;
  /** Below the release's folder, without compression suffix: `kernel/fs/ext4/ext4.ko`. */
  readonly path: string;
  /** The unpacked object. */
  readonly bytes: Uint8Array;
  /** Names of modules that must be there first, soft dependencies included; built-in ones are left out. */
  readonly depends: readonly string[];
}

/** A module as its file describes it. */
interface ModuleFile extends KernelModule {
  /** Names or aliases of modules that should be there first. */
  readonly softDepends: readonly string[];
}

/** More than any module needs in all; a bound for the search. */
const CLOSURE_LIMIT = 500;

const SUFFIX = /\.ko(\.(gz|xz|zst))?$/;

/** The modules below one `lib/modules/<release>` folder. */
export class KernelModules {
  readonly #loaded = new Map<string, Promise<ModuleFile>>();
  #aliases: Map<string, string> | null = null;

  private constructor(
    readonly directory: string,
    /** File paths by module name. */
    private readonly files: ReadonlyMap<string, string>,
    private readonly builtin: ReadonlySet<string>,
  ) {}

  /** Lists the modules in `directory`; throws {@link ImageError} if there are none. */
  static async open(directory: string): Promise<KernelModules> {
    const files = new Map<string, string>();
    for await (const path of walk(directory, "kernel")) files.set(moduleName(path), path);
    if (files.size === 0) throw new ImageError(`${directory} holds no kernel modules`);
    const list = await Deno.readTextFile(`${directory}/modules.builtin`).catch(() => "");
    const builtin = new Set(list.split("\n").filter((line) => line !== "").map(moduleName));
    return new KernelModules(directory, files, builtin);
  }

  /** The names of all modules, sorted. */
  names(): string[] {
    return [...this.files.keys()].sort();
  }

  /** Whether the kernel has `name`, as a module or built in. */
  has(name: string): boolean {
    return this.files.has(normal(name)) || this.isBuiltIn(name);
  }

  /** Whether `name` is part of the kernel itself. */
  isBuiltIn(name: string): boolean {
    return this.builtin.has(normal(name));
  }

  /**
   * The modules that `names` need, themselves included, in an order in which they can be loaded; what is
   * built into the kernel is left out. Throws {@link ImageError} for an unknown name.
   */
  async loadOrder(names: readonly string[]): Promise<KernelModule[]> {
    const order = new Map<string, KernelModule>();
    const visited = new Set<string>();
    const visit = async (name: string, neededBy: string | null): Promise<void> => {
      if (visited.has(name) || this.builtin.has(name)) return;
      visited.add(name);
      if (visited.size > CLOSURE_LIMIT) {
        throw new ImageError(`module ${name} needs too many others`);
      }
      const module = await this.#module(name, neededBy);
      const depends: string[] = [];
      for (const alias of module.softDepends) {
        const target = await this.#softTarget(alias);
        if (target !== null) depends.push(target);
      }
      depends.push(...module.depends.filter((other) => !this.builtin.has(other)));
      for (const other of depends) await visit(other, name);
      order.set(name, { ...module, depends });
    };
    for (const name of names) await visit(normal(name), null);
    return [...order.values()];
  }

  #module(name: string, neededBy: string | null): Promise<ModuleFile> {
    const known = this.#loaded.get(name);
    if (known) return known;
    const path = this.files.get(name);
    if (!path) {
      const reason = neededBy ? `, which ${neededBy} needs` : "";
      throw new ImageError(`this kernel has no module ${name}${reason} (in ${this.directory})`);
    }
    const reading = readModule(this.directory, path);
    this.#loaded.set(name, reading);
    return reading;
  }

  /** The module that a soft dependency means: by name, or by the alias of a cipher or checksum. */
  async #softTarget(alias: string): Promise<string | null> {
    const name = normal(alias);
    if (this.files.has(name)) return name;
    this.#aliases ??= await this.#cryptoAliases();
    return this.#aliases.get(alias) ?? null;
  }

  /** Aliases of the portable implementations; faster ones need CPU features and are left out. */
  async #cryptoAliases(): Promise<Map<string, string>> {
    const aliases = new Map<string, string>();
    for (const [name, path] of this.files) {
      if (!path.startsWith("kernel/crypto/")) continue;
      const info = moduleInfo(await readObject(this.directory, path));
      for (const alias of info.get("alias") ?? []) aliases.set(alias, name);
    }
    return aliases;
  }
}

async function readModule(directory: string, path: string): Promise<ModuleFile> {
  const bytes = await readObject(directory, path);
  const info = moduleInfo(bytes);
  const depends = (info.get("depends") ?? []).flatMap((list) => list.split(","));
  return {
    name: moduleName(path),
    path: path.replace(SUFFIX, ".ko"),
    bytes,
    depends: depends.filter((name) => name !== "").map(normal),
    softDepends: (info.get("softdep") ?? []).flatMap(preDependencies),
  };
}

/** `pre: a b post: c` as `[a, b]`. */
function preDependencies(softdep: string): string[] {
  const match = /\bpre:\s*([^:]*?)(?=\s*\S+:|$)/.exec(softdep);
  return match ? match[1].split(/\s+/).filter((name) => name !== "") : [];
}

async function readObject(directory: string, path: string): Promise<Uint8Array> {
  const bytes = await Deno.readFile(`${directory}/${path}`);
  return compressionOf(bytes) === null ? bytes : await decompress(bytes, path);
}

/** The `key=value` strings of section .modinfo. */
function moduleInfo(bytes: Uint8Array): Map<string, string[]> {
  const section = elfSection(bytes, ".modinfo", "kernel module");
  const info = new Map<string, string[]>();
  for (const text of new TextDecoder().decode(section ?? new Uint8Array(0)).split("\0")) {
    const split = text.indexOf("=");
    if (split < 0) continue;
    const key = text.slice(0, split);
    info.set(key, [...info.get(key) ?? [], text.slice(split + 1)]);
  }
  return info;
}

/** `kernel/fs/ext4/ext4.ko.xz` as `ext4`; hyphens become underscores. */
function moduleName(path: string): string {
  return normal(path.slice(path.lastIndexOf("/") + 1).replace(SUFFIX, ""));
}

function normal(name: string): string {
  return name.replaceAll("-", "_");
}

/** The paths of all module files below `directory/path`. */
async function* walk(directory: string, path: string): AsyncGenerator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(`${directory}/${path}`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (isDirectory) yield* walk(directory, `${path}/${name}`);
    else if (SUFFIX.test(name)) yield `${path}/${name}`;
  }
}
