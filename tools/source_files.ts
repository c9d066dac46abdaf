/** The repository's own files, found by walking the tree (so that an uncommitted file counts too). */

/** A text file; `path` is relative to the repository's root, with `/` between folders. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const SKIPPED_FOLDERS = new Set([".git", "node_modules", ".cache", "coverage"]);
const TEXT_NAME = /(?:\.(?:ts|tsx|js|json|md|css|html|txt|lock|c|sh|yml)|^\.gitignore|^run)$/;

/** Reads the text files below `root`, sorted by path. */
export function readSourceFiles(root: string): SourceFile[] {
  return [...walk(root, "")].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Only the TypeScript among `files`. */
export function typescriptOf(files: readonly SourceFile[]): SourceFile[] {
  return files.filter(({ path }) => path.endsWith(".ts") || path.endsWith(".tsx"));
}

function* walk(root: string, folder: string): IterableIterator<SourceFile> {
  for (const entry of Deno.readDirSync(`${root}/${folder}`)) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory && !SKIPPED_FOLDERS.has(entry.name)) yield* walk(root, path);
    if (entry.isFile && TEXT_NAME.test(entry.name)) {
      yield { path, text: Deno.readTextFileSync(`${root}/${path}`) };
    }
  }
}
