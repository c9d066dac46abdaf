/**
 * Derives `docs/conformance.md`, the list of known deviations from the manuals, from the code.
 *
 * A deviation is tagged where it happens, in a comment: the tag, then what differs, then after a
 * semicolon the section of the manual. Run with `--write` the tool rewrites the page; without, it
 * fails if the page is out of date.
 */

import { type Finding, lineAt, report } from "./findings.ts";
import { readSourceFiles, type SourceFile, typescriptOf } from "./source_files.ts";
import { keepOnly } from "../testbed/repl/source_text.ts";

const PAGE = "docs/conformance.md";
const TAG = /@deviation\b[ \t]*([^@]*)/g;

/** One tagged deviation. */
export interface Deviation {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

/** The deviations tagged in comments of `files`, by path. */
export function deviationsIn(files: readonly SourceFile[]): Deviation[] {
  return files.filter(({ path }) => !path.startsWith("tools/")).flatMap((file) => {
    const comments = keepOnly(file.text, "comment");
    return [...comments.matchAll(TAG)].map(({ 1: body, index }) => ({
      path: file.path,
      line: lineAt(file.text, index),
      text: paragraph(body),
    }));
  });
}

/** The page for these deviations. */
export function conformancePage(deviations: readonly Deviation[]): string {
  const lines = [
    "# Conformance: known deviations",
    "",
    "Derived from the `@deviation` tags in the code by `deno task conformance`; do not edit.",
    "What is not listed here is meant to behave as its manual says.",
    "",
  ];
  const folders = new Map<string, Deviation[]>();
  for (const deviation of deviations) {
    const parts = deviation.path.split("/");
    const folder = parts.slice(0, Math.min(2, parts.length - 1)).join("/");
    folders.set(folder, [...folders.get(folder) ?? [], deviation]);
  }
  for (const [folder, inFolder] of folders) {
    const rows = inFolder.map(({ path, text }) =>
      `- [${path.slice(path.lastIndexOf("/") + 1)}](../${path}): ${text}`
    );
    lines.push(`## ${folder}`, "", ...rows, "");
  }
  return lines.join("\n").trimEnd() + "\n";
}

/** The tag's text up to the end of its paragraph, without the comment's margin. */
function paragraph(body: string): string {
  const lines = body.split("\n").map((line) =>
    line.replace(/^\s*(?:\*(?!\/)|\/\/)?|\*\/.*$/g, "").trim()
  );
  const end = lines.indexOf("");
  return lines.slice(0, end < 0 ? lines.length : end).join(" ").trim();
}

/** What is wrong with `page` as the page for `deviations`. */
export function checkPage(page: string, deviations: readonly Deviation[]): Finding[] {
  const empty = deviations.filter(({ text }) => text === "").map(({ path, line }) => ({
    path,
    line,
    message: "a deviation says what differs",
  }));
  if (page === conformancePage(deviations)) return empty;
  return [...empty, {
    path: PAGE,
    line: 1,
    message: "is out of date: run `deno task conformance`",
  }];
}

function readPage(): string {
  try {
    return Deno.readTextFileSync(PAGE);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

if (import.meta.main) {
  const files = typescriptOf(readSourceFiles("."));
  const deviations = deviationsIn(files);
  if (Deno.args.includes("--write")) Deno.writeTextFileSync(PAGE, conformancePage(deviations));
  report("conformance", checkPage(readPage(), deviations), files.length);
}
