/** `xenarium images`: kernels and disks that machines can be given by name. */

import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { closest } from "../suggestion.ts";
import { table } from "../tables.ts";
import { formatSize } from "../units.ts";
import { withProgress } from "./progress.ts";
import type { ImageRow } from "../images/image_catalogue.ts";
import type { Services } from "./services.ts";

const EXAMPLES = `
Examples:
  xenarium images add debian       Debian's amd64 kernel, with busybox as its initial RAM disk
  xenarium images list
  xenarium boot --kernel debian`;

/** The command and its four subcommands. */
export function imagesCommand(services: Services): CommandUnknownOpts {
  const { terminal } = services;
  const command = new Command("images")
    .description("kernels and disks by name: get, list, show, remove")
    .addHelpText("after", EXAMPLES);
  command.command("add [name...]")
    .description("get images from Debian's packages into the cache; asks which, without a name")
    .action(async (given) => {
      const images = await services.images();
      const names = given.length > 0 ? given : await chooseNames(services, images.known);
      for (const name of names) requireKnown(name, images.known);
      for (const name of names) {
        const image = await withProgress(
          terminal,
          `adding ${name}`,
          (onProgress) => images.add(name, onProgress),
        );
        terminal.write(`${describe(image)}\n`);
      }
    });
  command.command("list")
    .description("the images there are")
    .action(async () => {
      const images = await services.images();
      const rows = (await images.list()).map(({ name, sizeBytes, summary }) => [
        name,
        formatSize(sizeBytes),
        summary,
      ]);
      const nothing = `no images; \`xenarium images add\` knows: ${images.known.join(", ")}`;
      terminal.write(`${rows.length === 0 ? nothing : table(["name", "size", "what"], rows)}\n`);
    });
  command.command("show <name>")
    .description("what an image is and where it came from")
    .action(async (name) => {
      terminal.write(`${describe(await (await services.images()).show(name))}\n`);
    });
  command.command("remove <name...>")
    .description("delete images from the cache; asks first, at a terminal")
    .option("-y, --yes", "do not ask")
    .action(async (names, { yes }) => {
      const images = await services.images();
      for (const name of names) {
        const { sizeBytes } = await images.show(name);
        const question = `Remove ${name} (${formatSize(sizeBytes)})?`;
        const sure = yes || !terminal.interactive || await services.questions.confirm(question);
        if (sure) await images.remove(name);
      }
    });
  return command;
}

async function chooseNames(
  { terminal, questions }: Services,
  known: readonly string[],
): Promise<string[]> {
  if (terminal.interactive) return await questions.choose("Which images?", known);
  throw new RangeError(`expected the name of an image: ${known.join(", ")}`);
}

function requireKnown(name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const near = closest(name, known);
  throw new RangeError(
    `no image named ${name} can be added${near ? `; did you mean ${near}?` : ""} (known: ${
      known.join(", ")
    })`,
  );
}

function describe({ name, summary, sizeBytes, details }: ImageRow): string {
  return table(["", ""], [
    ["image", name],
    ["what", summary],
    ["size", formatSize(sizeBytes)],
    ...details.map(([label, value]) => [label, value]),
  ]);
}
