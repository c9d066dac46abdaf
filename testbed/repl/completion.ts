/** What could stand at the end of a line: members of live objects, names, commands. */

/** Where names come from. */
export interface Names {
  /** Names that lines have declared. */
  declared(): Promise<string[]>;
  /** The value of an expression made of names, dots and literal indices; throws if it has none. */
  valueOf(path: string): Promise<unknown>;
  /** The names of dot commands, without the dot. */
  readonly commands: readonly string[];
}

const PATH = /((?:[A-Za-z_$][\w$]*)(?:\?*\.[A-Za-z_$][\w$]*|\[\d+\])*)\??\.([\w$]*)$/;
const NAME = /(?:^|[^\w$.])([A-Za-z_$][\w$]*)$/;
const KEYWORDS = ["await", "const", "import", "let", "new", "return", "throw", "typeof"];
const MAX_PROTOTYPES = 16;

/** The completions of `line`, and the part of it that they replace. */
export async function complete(line: string, names: Names): Promise<[string[], string]> {
  const command = /^\s*\.(\w*)$/.exec(line);
  if (command) {
    return [startingWith(names.commands, command[1]).map((name) => `.${name}`), line.trim()];
  }
  const path = PATH.exec(line);
  if (path) {
    const [, object, prefix] = path;
    return [startingWith(await membersAt(object, names), prefix), prefix];
  }
  const prefix = NAME.exec(line)?.[1] ?? "";
  if (prefix === "" && line.trim() !== "") return [[], ""];
  const globals = Object.getOwnPropertyNames(globalThis).filter((name) => /^[\w$]+$/.test(name));
  const declared = await names.declared();
  const all = prefix === "" ? declared : [...declared, ...KEYWORDS, ...globals];
  return [startingWith(all, prefix), prefix];
}

/** The names of an object's members, its prototypes' included, without what starts with an underscore. */
export function memberNames(value: unknown): string[] {
  const found = new Set<string>();
  let object: unknown = value === null || value === undefined ? null : Object(value);
  for (let depth = 0; object && depth < MAX_PROTOTYPES; depth++) {
    const isBase = object === Object.prototype;
    if (isBase && found.size > 0) break;
    for (const name of Object.getOwnPropertyNames(object)) {
      if (/^[A-Za-z$][\w$]*$/.test(name) && name !== "constructor") found.add(name);
    }
    object = Object.getPrototypeOf(object);
  }
  return [...found];
}

async function membersAt(path: string, names: Names): Promise<string[]> {
  try {
    return memberNames(await names.valueOf(path));
  } catch {
    return [];
  }
}

function startingWith(names: Iterable<string>, prefix: string): string[] {
  return [...new Set(names)].filter((name) => name.startsWith(prefix)).sort();
}
