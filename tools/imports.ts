/** The imports of a TypeScript file, read from its text. */

import { keepOnly } from "../testbed/repl/source_text.ts";
import type { SourceFile } from "./source_files.ts";

/** One `import` or `export … from`; `target` is a repository path, or the bare specifier as written. */
export interface Import {
  readonly specifier: string;
  readonly target: string;
  /** Whether `target` is a file of this repository. */
  readonly local: boolean;
  /** Whether only types are imported, so that nothing is loaded at run time. */
  readonly typeOnly: boolean;
  readonly offset: number;
}

const PACKAGE = /^@xenarium\/(\w+)$/;
const IMPORT = new RegExp(
  [
    /\b(?:import|export)(\s+type\b)?(?:\s*[\w$*{][^;'"`]*?\bfrom)\s*["']([^"'\n]+)["']/,
    /\bimport\s*\(?\s*["']([^"'\n]+)["']/,
  ].map(({ source }) => source).join("|"),
  "g",
);

/** The imports of `file`, in order, dynamic ones with a literal specifier included. */
export function importsOf(file: SourceFile): Import[] {
  const text = keepOnly(file.text, "code", "string");
  const code = keepOnly(file.text, "code");
  const imports: Import[] = [];
  for (const match of text.matchAll(IMPORT)) {
    // The keyword must be code: an example inside a template string imports nothing.
    if (code[match.index] === " ") continue;
    const specifier = match[2] ?? match[3];
    imports.push({
      specifier,
      ...resolve(file.path, specifier),
      typeOnly: match[1] !== undefined,
      offset: match.index,
    });
  }
  return imports;
}

function resolve(from: string, specifier: string): { target: string; local: boolean } {
  const member = PACKAGE.exec(specifier);
  if (member) {
    return { target: member[1] === "xenarium" ? "mod.ts" : `${member[1]}/mod.ts`, local: true };
  }
  if (!specifier.startsWith(".")) return { target: specifier, local: false };
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return { target: parts.join("/"), local: true };
}
