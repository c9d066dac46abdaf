/** What a repository tool reports: one line per finding, and exit code 1 if there is any. */

import type { SourceFile } from "./source_files.ts";

/** One thing that is wrong, at a line of a file (1 for the file as a whole). */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** The 1-based number of the line that holds `offset`. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

/** A finding at a character offset of a file. */
export function findingAt(file: SourceFile, offset: number, message: string): Finding {
  return { path: file.path, line: lineAt(file.text, offset), message };
}

/** Prints the findings as `path:line: message`, then a summary; exits 1 if there are any. */
export function report(tool: string, findings: readonly Finding[], filesRead: number): void {
  for (const { path, line, message } of findings) console.error(`${path}:${line}: ${message}`);
  if (findings.length > 0) {
    console.error(`${tool}: ${findings.length} finding${findings.length === 1 ? "" : "s"}`);
    Deno.exit(1);
  }
  console.log(`${tool}: ok (${filesRead} files)`);
}
