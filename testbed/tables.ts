/** Tables on a terminal, and objects that print as one when they are looked at in a REPL. */

import CliTable from "cli-table3";

const PLAIN = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Lays rows out in columns under their headings; columns of numbers are aligned to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number | bigint)[])[],
): string {
  const isNumber = (cell: unknown) => typeof cell === "number" || typeof cell === "bigint";
  const colAligns = head.map((_, column) =>
    rows.length > 0 && rows.every((row) => isNumber(row[column])) ? "right" : "left"
  );
  const layout = new CliTable({
    head: head.some((heading) => heading !== "") ? [...head] : [],
    chars: PLAIN,
    colAligns: colAligns as ("left" | "right")[],
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  for (const row of rows) layout.push(row.map(String));
  return layout.toString().split("\n").map((line) => line.trimEnd()).join("\n");
}

const HOOKS = [Symbol.for("Deno.customInspect"), Symbol.for("nodejs.util.inspect.custom")];

/** Makes `target` (an object, or a class's prototype) show itself by `render`; returns it. */
export function printAs<T extends object>(target: T, render: (self: T) => string): T {
  for (const hook of HOOKS) {
    Object.defineProperty(target, hook, {
      configurable: true,
      enumerable: false,
      value(this: T): string {
        return render(this);
      },
    });
  }
  return target;
}
