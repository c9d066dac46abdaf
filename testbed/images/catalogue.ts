/** The image cache as the `images` command sees it: names to add, and rows to print. */

import type { ImageCatalogue, ImageRow, OnProgress } from "./image_catalogue.ts";
import { addDebian, debianFlavourOf, debianFlavours, debianImageName } from "./debian.ts";
import { type CommandRunner, hostRunner } from "./command_runner.ts";
import { type ImageRecord, ImageStore } from "./image_store.ts";

/** Downloading and unpacking of two packages, and vmlinux. */
const ADD_STEPS = 5;

/** The catalogue of the images in `store`; `debian` stands for `debian-amd64` everywhere. */
export function imageCatalogue(
  store: ImageStore = new ImageStore(),
  runner: CommandRunner = hostRunner,
): ImageCatalogue {
  return {
    known: ["debian", ...Object.keys(debianFlavours).map((flavour) => `debian-${flavour}`)],
    async add(name, onProgress) {
      const flavour = debianFlavourOf(name);
      if (!flavour) throw new RangeError(`no image named ${name} can be added`);
      const image = await addDebian(flavour, { store, runner, report: countSteps(onProgress) });
      onProgress("done", ADD_STEPS, ADD_STEPS);
      return toRow(image);
    },
    list: async () => (await store.list()).map(toRow),
    show: async (name) => toRow(await store.show(fullName(name))),
    remove: async (name) => void await store.remove(fullName(name)),
  };
}

function fullName(name: string): string {
  const flavour = debianFlavourOf(name);
  return flavour ? debianImageName(flavour) : name;
}

/** Reports each line as a step begun; lines beyond the known steps do not move the bar. */
function countSteps(onProgress: OnProgress): (line: string) => void {
  let done = 0;
  return (line) => onProgress(line, Math.min(done++, ADD_STEPS - 1), ADD_STEPS);
}

function toRow({ name, release, sources, files }: ImageRecord): ImageRow {
  return {
    name,
    summary: `Debian's Linux ${release}`,
    sizeBytes: Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    details: [
      ["release", release],
      ...sources.flatMap((source) =>
        [
          ["package", `${source.package} ${source.version} (${source.architecture})`],
          ["from source", source.sourcePackage],
          ["sha256", source.sha256],
        ] as const
      ),
      ...Object.entries(files).map(([role, { sha256 }]) => [`sha256 of ${role}`, sha256] as const),
    ],
  };
}
