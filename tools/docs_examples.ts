/**
 * Checks that what is public is documented, and names the files whose examples must run.
 *
 * `deno test --doc` runs the examples of the files that it is given; this tool finds those files:
 * the pages in Markdown and every file that `mod.ts` re-exports from. It prints them, for the task's
 * command line. With `--check` it reports exports without a docstring instead.
 */

import { type Finding, findingAt, report } from "./findings.ts";
import { importsOf } from "./imports.ts";
import { readSourceFiles, type SourceFile } from "./source_files.ts";
import { keepOnly } from "../testbed/repl/source_text.ts";

const EXAMPLE = /^[ \t]*(?:\*[ \t]?)?```(?:ts|typescript)\b(?![^\n]*\bignore\b)/m;
const DECLARATION =
  /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|const|let|interface|type|enum)\s+(\w+)/gm;

/** The files that `mod.ts` re-exports from, directly or through other `mod.ts` files. */
export function publicFiles(files: readonly SourceFile[]): SourceFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<SourceFile>();
  const visit = (path: string) => {
    const file = byPath.get(path);
    if (!file || reached.has(file)) return;
    reached.add(file);
    if (/(?:^|\/)mod\.ts$/.test(path)) {
      for (const { target, local } of importsOf(file)) if (local) visit(target);
    }
  };
  visit("mod.ts");
  return [...reached];
}

/** The paths of all files with examples that must run. */
export function filesWithExamples(files: readonly SourceFile[]): string[] {
  // README.md is always there: without a file `deno test` would run every test.
  const isPage = ({ path, text }: SourceFile) =>
    path === "README.md" || (path.endsWith(".md") && EXAMPLE.test(text));
  const sources = publicFiles(files).filter(({ text }) => EXAMPLE.test(keepOnly(text, "comment")));
  return [...files.filter(isPage), ...sources].map(({ path }) => path);
}

/** Exports of public files that no docstring precedes. */
export function undocumented(files: readonly SourceFile[]): Finding[] {
  return publicFiles(files).flatMap((file) =>
    [...keepOnly(file.text, "code").matchAll(DECLARATION)]
      .filter(({ index }) => !file.text.slice(0, index).trimEnd().endsWith("*/"))
      .filter(({ 1: name, index }, _i, all) =>
        all.find((each) => each[1] === name)!.index === index
      )
      .map(({ 1: name, index }) => findingAt(file, index, `${name} is public and has no docstring`))
  );
}

if (import.meta.main) {
  const files = readSourceFiles(".");
  if (Deno.args.includes("--check")) report("docs", undocumented(files), publicFiles(files).length);
  else console.log(filesWithExamples(files).join(" "));
}
