/** A line of TypeScript becomes JavaScript that V8 evaluates as a script. */

import { stripTypeScriptTypes } from "node:module";
import { keepOnly } from "./source_text.ts";

const IMPORT =
  /\bimport\s+(?:type\s+(?=[{*\w]))?(?:(\w+)\s*,?\s*)?(?:\*\s*as\s+(\w+)\s*|\{([^}]*)\}\s*)?from\s*(["'])([^"'\n]+)\4\s*;?|\bimport\s*(["'])([^"'\n]+)\6\s*;?/g;

/**
 * Removes the types from `source` and turns imports into `await import(…)`; `base` is what relative
 * specifiers are relative to. Throws `SyntaxError` if it is no TypeScript.
 */
export function toJavaScript(source: string, base: URL): string {
  try {
    return stripTypeScriptTypes(withDynamicImports(source, base), { mode: "transform" });
  } catch (error) {
    throw new SyntaxError("this is no TypeScript", { cause: error });
  }
}

function withDynamicImports(source: string, base: URL): string {
  const code = keepOnly(source, "code");
  return source.replace(IMPORT, (whole, ...groups) => {
    const [all, namespace, names, , from, , bare] = groups as (string | undefined)[];
    const offset = groups[groups.length - 2] as number;
    if (code[offset] === " ") return whole;
    if (/^import\s+type\b/.test(whole)) return "";
    const specifier = from ?? bare ?? "";
    const target = JSON.stringify(
      /^\.{0,2}\//.test(specifier) ? new URL(specifier, base) : specifier,
    );
    const parts = [
      ...(all ? [`default: ${all}`] : []),
      ...(names ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "")
        .filter((name) => !/^type\s/.test(name))
        .map((name) => name.replace(/\s+as\s+/, ": ")),
    ];
    const pattern = namespace ?? (parts.length > 0 ? `{ ${parts.join(", ")} }` : undefined);
    return pattern ? `const ${pattern} = await import(${target});` : `await import(${target});`;
  });
}
