/**
 * The house rules that a machine can check line by line: STYLE.md's bans, names and sizes.
 *
 * Each rule is a function from one file to findings; the table at the end lists them.
 */

import { type Finding, findingAt, report } from "./findings.ts";
import { readSourceFiles, type SourceFile } from "./source_files.ts";
import { keepOnly } from "../testbed/repl/source_text.ts";

/** One house rule. */
export interface Rule {
  readonly name: string;
  check(file: SourceFile): Finding[];
}

/** Files longer than this are split, unless {@link LONG_FILES} says why not. */
export const MAX_LINES = 500;

/** Files that may be longer, and why. */
export const LONG_FILES: ReadonlyMap<string, string> = new Map([
  ["tests/fuzz/softfloat_rows.ts", "a table: one row for each instruction that the oracle runs"],
]);

const HOST_FREE = /^(?:core|devices|guests)\//;
/** The one file of a host-free folder that reaches the test runner. */
const TEST_ENTRY = "core/lib/testing.ts";

/** What a host-free folder may not name; a member or a parameter of that name is something else. */
const HOST_NAMES: readonly [pattern: RegExp, name: string][] = [
  ...["Deno", "globalThis", "setTimeout", "setInterval", "WebAssembly"].map((
    name,
  ): [RegExp, string] => [new RegExp(`(?<![.\\w#$])${name}(?![\\w$?]*\\s*:)\\b`, "g"), name]),
  ...["console", "performance", "crypto"].map((name): [RegExp, string] => [
    new RegExp(`(?<![.\\w#$])${name}\\.`, "g"),
    name,
  ]),
  [/(?<![.\w#$])Date\s*[.(]/g, "Date"],
  [/(?<![.\w#$])Math\.random\b/g, "Math.random"],
  [/(?<=\b(?:await|return|void)\s+|[=(,]\s*)fetch\(\s*["'`]/g, "fetch"],
];

const hostFree: Rule = {
  name: "host-free",
  check(file) {
    if (!isTypescript(file) || !HOST_FREE.test(file.path) || file.path === TEST_ENTRY) return [];
    const code = keepOnly(file.text, "code");
    // `fetch` needs to see what it is called with: a CPU has a fetch of its own.
    const withStrings = keepOnly(file.text, "code", "string");
    return HOST_NAMES.flatMap(([pattern, name]) =>
      matches(
        file,
        name === "fetch" ? withStrings : code,
        pattern,
        `host-free code may not use ${name}`,
      )
    );
  },
};

const fileNames: Rule = {
  name: "file-names",
  check(file) {
    const name = file.path.slice(file.path.lastIndexOf("/") + 1);
    if (!isTypescript(file) || /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\.d)?\.tsx?$/.test(name)) {
      return [];
    }
    if (file.path.startsWith("web/") && /^(?:\[[.\w]+\]|_\w+|\w+\.\w+)\.tsx?$/.test(name)) {
      return [];
    }
    return [findingAt(file, 0, `file name ${name} is not snake_case`)];
  },
};

const fileLength: Rule = {
  name: "file-length",
  check(file) {
    const lines = file.text.split("\n").length - 1;
    if (!isTypescript(file) || lines <= MAX_LINES || LONG_FILES.has(file.path)) return [];
    return [findingAt(file, 0, `${lines} lines; a file holds one idea in at most ${MAX_LINES}`)];
  },
};

const moduleComment: Rule = {
  name: "module-comment",
  check(file) {
    if (!isTypescript(file) || file.path.endsWith("_test.ts")) return [];
    if (/^(?:#!.*\n)?\s*\/(?:\*\*|\/)/.test(file.text) || isEmptyModule(file)) return [];
    return [findingAt(file, 0, "opens without a comment that says what the file is and why")];
  },
};

const unfinished: Rule = {
  name: "unfinished",
  check(file) {
    const remarks = keepOnly(file.text, "comment");
    return isTypescript(file)
      ? [
        ...matches(
          file,
          remarks,
          /\b(?:TO[D]O|FIX[M]E|XX[X])\b/g,
          "unfinished work is not committed",
        ),
        ...matches(file, remarks, /@ts-(?:ignore|nocheck)\b/g, "types are not switched off"),
        ...matches(file, remarks, /\bfor now\b/gi, "says that the code is provisional"),
      ]
      : [];
  },
};

const anyType: Rule = {
  name: "any",
  check(file) {
    if (!isTypescript(file)) return [];
    const code = keepOnly(file.text, "code");
    return matches(file, code, /(?:\bas\s+any\b|<any\b|:\s*any\b|\bany\[\])/g, "any hides a type");
  },
};

const reexportsOnly: Rule = {
  name: "mod-reexports",
  check(file) {
    if (!/(?:^|\/)mod\.ts$/.test(file.path)) return [];
    const code = keepOnly(file.text, "code", "string");
    const rest = code
      .replace(/\bexport\s+(?:type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)\s+from\s+"[^"]*";/g, blank)
      .replace(/\bexport\s*\{\s*\};/g, blank);
    const found = rest.search(/\S/);
    return found < 0 ? [] : [findingAt(file, found, "mod.ts re-exports and does nothing else")];
  },
};

/** Paths of one machine and names of package hosts differ elsewhere; nothing tracked may hold them. */
const machinePaths: Rule = {
  name: "machine-paths",
  check(file) {
    return [
      ...matches(
        file,
        file.text,
        /(?<![\w.~)}])\/(?:work|home|Users|root)\/[\w.]/g,
        "names a path of one machine",
      ),
      ...matches(
        file,
        file.text,
        /https?:\/\/(?:[\w.:@-]*\b(?:registry|artifactory|nexus|npmjs|verdaccio)\b|(?:10|127|172|192)\.\d)/g,
        "names a package host",
      ),
    ];
  },
};

/** Every rule, in the order in which they report. */
export const RULES: readonly Rule[] = [
  hostFree,
  fileNames,
  fileLength,
  moduleComment,
  unfinished,
  anyType,
  reexportsOnly,
  machinePaths,
];

/** The findings of every rule in `files`. */
export function checkTidy(files: readonly SourceFile[]): Finding[] {
  const found = files.flatMap((file) => RULES.flatMap((rule) => rule.check(file)));
  const paths = new Set(files.map(({ path }) => path));
  for (const path of LONG_FILES.keys()) {
    if (!paths.has(path)) found.push({ path, line: 1, message: "is listed as long, but is gone" });
  }
  return found;
}

function isTypescript({ path }: SourceFile): boolean {
  return /\.tsx?$/.test(path);
}

function isEmptyModule({ text }: SourceFile): boolean {
  return /^\s*(?:export\s*\{\s*\};)?\s*$/.test(text);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

function matches(file: SourceFile, text: string, pattern: RegExp, message: string): Finding[] {
  return [...text.matchAll(pattern)].map(({ index, 0: found }) =>
    findingAt(file, index, `${message}: ${found.trim()}`)
  );
}

if (import.meta.main) {
  const files = readSourceFiles(".");
  report("tidy", checkTidy(files), files.length);
}
