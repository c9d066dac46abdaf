/**
 * Enforces the floors of the house: a folder imports only from lower floors and from itself.
 *
 * The table is DESIGN.md's section 2; `floors.ts` prints one line per import that breaks it.
 */

import { type Finding, findingAt, report } from "./findings.ts";
import { type Import, importsOf } from "./imports.ts";
import { readSourceFiles, type SourceFile, typescriptOf } from "./source_files.ts";

/** One folder (or file) of the house and what it may reach. */
export interface Floor {
  /** A folder, or a file of the root. The longest that fits a path is its floor. */
  readonly at: string;
  /** Imports go to a strictly lower level, or stay in the folder. */
  readonly level: number;
  /** If given, of the lower floors only these. */
  readonly only?: readonly string[];
  /** Outside packages (prefixes of specifiers) that it may import. */
  readonly packages: readonly string[];
}

/** What tests in host-free folders may import besides their folder's own imports. */
const TEST_PACKAGES = ["@std/", "fast-check", "iced-x86", "npm:iced-x86@", "npm:fast-check@"];
/** Tests, and what only tests use. */
const TEST_FILE = /_test\.ts$|\/testing\//;
const ANY_PACKAGE = [""];
const HARDWARE = ["core/lib", "core/abi", "core/memory", "core/clock", "core/trace"];

/** The floors, lowest first. */
export const FLOORS: readonly Floor[] = [
  { at: "deno.json", level: 0, packages: [] },
  { at: "core/lib", level: 0, packages: [] },
  { at: "core/abi", level: 1, packages: [] },
  { at: "core/memory", level: 1, packages: [] },
  { at: "core/trace", level: 1, packages: [] },
  { at: "core/clock", level: 1, packages: [] },
  { at: "core/x86", level: 2, packages: [] },
  { at: "core/translate", level: 3, packages: [] },
  { at: "core/vmx", level: 4, packages: [] },
  { at: "core/svm", level: 4, packages: [] },
  { at: "core/iommu", level: 4, packages: [] },
  { at: "core/hypervisor", level: 5, packages: [] },
  { at: "core", level: 6, packages: [] },
  { at: "devices", level: 7, only: [...HARDWARE, "core/hypervisor"], packages: [] },
  {
    at: "guests",
    level: 8,
    only: ["core/lib", "core/abi", "core/clock", "core/x86"],
    packages: [],
  },
  { at: "testbed", level: 9, packages: ANY_PACKAGE },
  { at: "mod.ts", level: 10, packages: [] },
  { at: "scenarios", level: 11, only: ["mod.ts"], packages: ["@std/", "node:"] },
  { at: "web", level: 11, only: ["mod.ts"], packages: ANY_PACKAGE },
  { at: "bench", level: 12, packages: ANY_PACKAGE },
  { at: "tests", level: 12, packages: ANY_PACKAGE },
  { at: "main.ts", level: 12, packages: ANY_PACKAGE },
  { at: "tools", level: 13, only: ["testbed"], packages: ["@std/", "node:"] },
];

/** The floor that `path` stands on, or `undefined` if the table does not know it. */
export function floorOf(path: string): Floor | undefined {
  const holds = ({ at }: Floor) => path === at || path.startsWith(`${at}/`);
  return FLOORS.filter(holds).sort((a, b) => b.at.length - a.at.length)[0];
}

/** The findings in all of `files` (paths relative to the root). */
export function checkFloors(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = [];
  const graph = new Map<string, { file: SourceFile; imports: Import[] }>();
  for (const file of files) {
    const floor = floorOf(file.path);
    if (!floor) {
      findings.push({ path: file.path, line: 1, message: "stands on no floor of tools/floors.ts" });
      continue;
    }
    const imports = importsOf(file);
    graph.set(file.path, { file, imports });
    for (const each of imports) {
      const message = forbidden(file.path, floor, each);
      if (message) findings.push(findingAt(file, each.offset, message));
    }
  }
  return [...findings, ...fileCycles(graph), ...folderCycles(graph)];
}

/** Why `from` may not have this import, or `undefined`. */
function forbidden(
  path: string,
  floor: Floor,
  { specifier, target, local }: Import,
): string | undefined {
  const isTest = TEST_FILE.test(path);
  if (!local) {
    const allowed = isTest ? [...floor.packages, ...TEST_PACKAGES] : floor.packages;
    if (allowed.some((prefix) => specifier.startsWith(prefix))) return undefined;
    return `${floor.at} may not import the package ${specifier}`;
  }
  const other = floorOf(target);
  if (!other) return `imports ${target}, which stands on no floor of tools/floors.ts`;
  if (other.at === floor.at) return undefined;
  if (other.level === floor.level) {
    return `${floor.at} imports its sibling ${other.at} (siblings meet through a lower floor)`;
  }
  if (other.level > floor.level) return `${floor.at} imports the upper floor ${other.at}`;
  if (isTest && target === "core/lib/testing.ts") return undefined;
  if (floor.only && !floor.only.includes(other.at)) {
    return `${floor.at} imports ${other.at}; of the lower floors it may import: ${
      floor.only.join(", ") || "none"
    }`;
  }
  return undefined;
}

type Graph = ReadonlyMap<string, { file: SourceFile; imports: Import[] }>;

/** Cycles of files through imports that load code; a type may refer back. */
function fileCycles(graph: Graph): Finding[] {
  const edges = new Map<string, Set<string>>();
  for (const [path, { imports }] of graph) {
    const loaded = imports.filter((each) => each.local && !each.typeOnly && graph.has(each.target));
    edges.set(path, new Set(loaded.map(({ target }) => target)));
  }
  return cyclesOf(edges).map((cycle) => ({
    path: cycle[0],
    line: 1,
    message: `import cycle: ${[...cycle, cycle[0]].join(" -> ")}`,
  }));
}

/** Cycles of folders, tests aside; a folder and the folders in it count as one. */
function folderCycles(graph: Graph): Finding[] {
  const edges = new Map<string, Set<string>>();
  for (const [path, { imports }] of graph) {
    if (TEST_FILE.test(path)) continue;
    const from = folderOf(path);
    const to = edges.get(from) ?? new Set();
    edges.set(from, to);
    for (const { local, target } of imports) {
      const folder = folderOf(target);
      if (local && !isWithin(folder, from) && !isWithin(from, folder)) to.add(folder);
    }
  }
  return cyclesOf(edges).map((cycle) => ({
    path: `${cycle[0]}/`,
    line: 1,
    message: `folder cycle: ${[...cycle, cycle[0]].join(" -> ")}`,
  }));
}

function folderOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "" : path.slice(0, end);
}

function isWithin(folder: string, other: string): boolean {
  return other === "" || folder === other || folder.startsWith(`${other}/`);
}

/** One cycle through each node that closes one, found by a depth-first walk. */
function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (node: string, path: string[]) => {
    const seen = path.indexOf(node);
    if (seen >= 0) cycles.push(path.slice(seen));
    if (seen >= 0 || done.has(node)) return;
    path.push(node);
    for (const next of edges.get(node) ?? []) visit(next, path);
    path.pop();
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return cycles;
}

if (import.meta.main) {
  const files = typescriptOf(readSourceFiles("."));
  report("floors", checkFloors(files), files.length);
}
