/**
 * A scanner that tells code from comments and strings, without parsing TypeScript.
 *
 * The repository's tools look for words, and a word in a comment or in a string means something else than
 * in code; the REPL looks for what is still open at the end of a line.
 */

/** Which parts of a text `keepOnly` leaves; the rest becomes spaces, line ends stay. */
export type Part = "code" | "comment" | "string";

interface Span {
  readonly part: Part;
  readonly from: number;
  readonly to: number;
}

/** Returns `text` with everything but the given parts blanked; offsets and lines stay the same. */
export function keepOnly(text: string, ...parts: Part[]): string {
  let result = "";
  for (const { part, from, to } of scan(text)) {
    const piece = text.slice(from, to);
    result += parts.includes(part) ? piece : piece.replace(/[^\n]/g, " ");
  }
  return result;
}

/** Splits `text` into comments, strings (with their quotes, and regular expressions) and code. */
export function scan(text: string): Span[] {
  return scanAll(text).spans;
}

function scanAll(text: string): { spans: Span[]; openTemplates: number } {
  const spans: Span[] = [];
  // One entry per open template substitution: how many braces are open inside it.
  const templates: number[] = [];
  let at = 0;
  let codeFrom = 0;
  const close = (part: Part, to: number) => {
    if (codeFrom < at) spans.push({ part: "code", from: codeFrom, to: at });
    if (at < to) spans.push({ part, from: at, to });
    at = codeFrom = to;
  };
  while (at < text.length) {
    const char = text[at];
    if (text.startsWith("//", at)) close("comment", endOfLine(text, at));
    else if (text.startsWith("/*", at)) close("comment", after(text, "*/", at + 2));
    else if (char === '"' || char === "'") close("string", endOfQuoted(text, at));
    else if (char === "`") close("string", endOfTemplate(text, at + 1, templates));
    else if (char === "/" && startsRegExp(text, at)) close("string", endOfRegExp(text, at));
    else if (char === "}" && templates.length > 0 && templates[templates.length - 1] === 0) {
      templates.pop();
      close("string", endOfTemplate(text, at + 1, templates));
    } else {
      if (templates.length > 0 && char === "{") templates[templates.length - 1]++;
      if (templates.length > 0 && char === "}") templates[templates.length - 1]--;
      at++;
    }
  }
  close("code", at);
  return { spans, openTemplates: templates.length };
}

const OPENING = "([{";
const CLOSING = ")]}";

/**
 * Whether `text` stops in the middle of something: an open bracket, template or comment, or an operator
 * that wants a right-hand side.
 */
export function isUnfinished(text: string): boolean {
  const { spans, openTemplates } = scanAll(text);
  if (openTemplates > 0) return true;
  const last = spans[spans.length - 1];
  if (last?.part === "comment") {
    const comment = text.slice(last.from, last.to);
    if (comment.startsWith("/*") && !/^\/\*[^]*\*\/$/.test(comment)) return true;
  }
  let depth = 0;
  for (const char of keepOnly(text, "code")) {
    if (OPENING.includes(char)) depth++;
    if (CLOSING.includes(char)) depth--;
  }
  if (depth > 0) return true;
  if (last?.part === "string" && opensTemplate(text.slice(last.from, last.to))) return true;
  return /(?:=>|[^=!<>+-]=|[*%&|^?:,.]|(?<!\+)\+|(?<!-)-)\s*$/.test(
    keepOnly(text, "code", "string"),
  );
}

/** Whether a string span is a template's piece that never ends. */
function opensTemplate(piece: string): boolean {
  if (piece[0] !== "`" && piece[0] !== "}") return false;
  return !piece.endsWith("`") || piece === "`" || piece.endsWith("\\`");
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

function after(text: string, needle: string, from: number): number {
  const found = text.indexOf(needle, from);
  return found < 0 ? text.length : found + needle.length;
}

function endOfQuoted(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === text[from] || text[at] === "\n") return at + 1;
  }
  return text.length;
}

/** Reads a template's characters up to its end, or up to (and with) the next `${`. */
function endOfTemplate(text: string, from: number, templates: number[]): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "`") return at + 1;
    else if (text.startsWith("${", at)) {
      templates.push(0);
      return at + 2;
    }
  }
  return text.length;
}

/** Whether a slash begins a regular expression: it does where an expression may begin. */
function startsRegExp(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  return before === "" || /(?:[([{,;=:!&|?+*%~^<>-]|\b(?:return|typeof|case|of|in))$/.test(before);
}

function endOfRegExp(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\n") return at;
    if (text[at] === "\\") at++;
    else if (text[at] === "[") inClass = true;
    else if (text[at] === "]") inClass = false;
    else if (text[at] === "/" && !inClass) return at + 1;
  }
  return text.length;
}
