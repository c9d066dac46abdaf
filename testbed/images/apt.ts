/**
 * Finding and downloading Debian packages with apt, without changing the system: where its own package
 * lists do not know an architecture, lists are fetched into a directory of ours.
 */

import { type CommandRunner, runOrThrow } from "./command_runner.ts";
import { ImageError } from "./image_error.ts";

/** Architectures of Debian whose packages are of use here. */
export type DebianArchitecture = "amd64" | "i386";

/** A binary package as apt knows it. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The source package, without version. */
  readonly source: string;
  /** The names in its Depends field, in order. */
  readonly depends: readonly string[];
}

/** Tells a person what is going on. */
export type Report = (line: string) => void;

/** Which package lists to use: the system's own, or those fetched into our directory. */
type Lists = "system" | "own";

/** Apt, with a directory for package lists of our own. */
export class Apt {
  readonly #fetched = new Set<DebianArchitecture>();

  constructor(
    readonly runner: CommandRunner,
    /** An absolute path; made when needed. */
    readonly stateDirectory: string,
    readonly report: Report = () => {},
  ) {}

  /**
   * Downloads into `directory` the newest version of package `name` (or of the kernel that a metapackage of that name depends on), first with the system's package
   * lists, then with fresh ones. Returns the package and the path of its file.
   */
  async fetch(
    name: string,
    architecture: DebianArchitecture,
    directory: string,
  ): Promise<{ package: Package; file: string }> {
    let failure: ImageError | null = null;
    for (const lists of ["system", "own"] as const) {
      if (lists === "own") await this.#fetchLists(architecture);
      const found = await this.#newest(name, architecture, lists);
      if (!found) continue;
      try {
        return { package: found, file: await this.#download(found, directory, lists) };
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        failure = error;
      }
    }
    throw failure ?? new ImageError(
      `apt knows no package ${name}:${architecture}; expected a system with Debian's package sources`,
    );
  }

  /** The newest version of a package, following a metapackage to the kernel it depends on. */
  async #newest(
    name: string,
    architecture: DebianArchitecture,
    lists: Lists,
  ): Promise<Package | null> {
    const found = await this.#show(name, architecture, lists);
    const kernel = found?.depends.find((other) => /^linux-image-\d/.test(other));
    return kernel ? await this.#show(kernel, architecture, lists) : found;
  }

  async #show(
    name: string,
    architecture: DebianArchitecture,
    lists: Lists,
  ): Promise<Package | null> {
    const options = await this.#options(architecture, lists);
    const args = [...options, "show", "--no-all-versions", `${name}:${architecture}`];
    const { code, stdout } = await this.runner.run("apt-cache", args);
    return code === 0 ? parsePackage(stdout) : null;
  }

  async #download(found: Package, directory: string, lists: Lists): Promise<string> {
    const architecture = found.architecture as DebianArchitecture;
    const options = await this.#options(architecture, lists);
    const wanted = `${found.name}:${found.architecture}=${found.version}`;
    this.report(`downloading ${wanted}`);
    await runOrThrow(this.runner, "apt-get", [...options, "download", wanted], { cwd: directory });
    for await (const { name } of Deno.readDir(directory)) {
      if (name.startsWith(`${found.name}_`) && name.endsWith(".deb")) return `${directory}/${name}`;
    }
    throw new ImageError(`apt-get download ${wanted} left no package in ${directory}`);
  }

  async #fetchLists(architecture: DebianArchitecture): Promise<void> {
    if (this.#fetched.has(architecture)) return;
    this.#fetched.add(architecture);
    await Deno.mkdir(`${this.stateDirectory}/lists/partial`, { recursive: true });
    await Deno.mkdir(`${this.stateDirectory}/cache/archives/partial`, { recursive: true });
    this.report(
      `this system's package lists do not have it for ${architecture}: fetching lists into ` +
        `${this.stateDirectory} (the system's own configuration stays as it is)`,
    );
    const options = await this.#options(architecture, "own");
    const { code, stderr } = await this.runner.run("apt-get", [...options, "update"]);
    // One list that a mirror is just changing is no reason to give up: the others are there.
    if (code !== 0) this.report(`apt-get update was not complete: ${stderr.trim().split("\n")[0]}`);
  }

  async #options(architecture: DebianArchitecture, lists: Lists): Promise<string[]> {
    if (lists === "system") return [];
    const native = (await runOrThrow(this.runner, "dpkg", ["--print-architecture"])).trim();
    const settings = [
      ...new Set([native, architecture]),
    ].map((name) => `APT::Architectures::=${name}`);
    settings.push(
      `Dir::State::lists=${this.stateDirectory}/lists/`,
      `Dir::Cache=${this.stateDirectory}/cache/`,
      "Acquire::Languages=none",
    );
    return settings.flatMap((setting) => ["-o", setting]);
  }
}

/** Reads the first stanza that `apt-cache show` prints, or `null` if there is none. */
export function parsePackage(stanza: string): Package | null {
  const fields = new Map<string, string>();
  for (const line of stanza.split("\n")) {
    if (line === "") break;
    const match = /^([A-Za-z-]+): (.*)$/.exec(line);
    if (match) fields.set(match[1], match[2]);
  }
  const name = fields.get("Package");
  const version = fields.get("Version");
  if (!name || !version) return null;
  return {
    name,
    version,
    architecture: fields.get("Architecture") ?? "",
    source: (fields.get("Source") ?? name).split(" ")[0],
    depends: (fields.get("Depends") ?? "").split(",").map((part) => part.trim().split(/[ :|]/)[0])
      .filter((part) => part !== ""),
  };
}
