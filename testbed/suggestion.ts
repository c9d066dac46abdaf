/** "Did you mean": the closest of the names that would have been right. */

/** The name closest to `wrong`, or `undefined` if none is close. */
export function closest(wrong: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(wrong.length / 2)) + 1;
  for (const name of names) {
    const distance = editDistance(wrong.toLowerCase(), name.toLowerCase());
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

/** `did you mean X? ` or nothing, then the list of what there is. */
export function suggest(wrong: string, names: Iterable<string>): string {
  const all = [...names];
  const name = closest(wrong, all);
  const known = all.length > 0 ? `known: ${all.join(", ")}` : "there are none";
  return name ? `did you mean ${name}? (${known})` : known;
}

/** Insertions, deletions and replacements from `a` to `b` (Levenshtein), row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
