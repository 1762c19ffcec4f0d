/** What keeps many a text from being a manifest, told from where a reader stumbles over it. */

const RENDER_FIRST = "this is a template: render it first, for example with helm template";

/** What is missing where `-name: x` or `port:80` stands. */
export const SPACE_BEHIND_DASH = "put a space behind the '-' that starts an entry of a list";
export const SPACE_BEHIND_COLON = "put a space behind the colon, as in name: value";

/** The hint where a template's {{ … }} or {% … %} is nearby. */
export function templateHint(text: string, offset: number): string | undefined {
  return /\{[{%]/.test(nearby(text, offset)) ? RENDER_FIRST : undefined;
}

/** The same for JSON, which stumbles over the braces themselves. */
export function jsonTemplateHint(text: string, offset: number): string | undefined {
  return /\{[{%]/.test(text.slice(Math.max(0, offset - 1), offset + 2)) ? RENDER_FIRST : undefined;
}

/** The hint where a space is missing nearby, so that a text stands there, and the field behind it goes on with that text. */
export function spaceHint(text: string, offset: number): string | undefined {
  const lines = nearby(text, offset);
  if (/^ *-[A-Za-z]\w*:(?: |$)/m.test(lines)) return SPACE_BEHIND_DASH;
  const [line = "", before = ""] = lines.split("\n").reverse();
  const head = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset + 1);
  const isNextField = /^ *[\w-]+:$/.test(head);
  return GLUED_FIELD.test(isNextField ? before : line) ? SPACE_BEHIND_COLON : undefined;
}

/** As in `port:80`; an address like http://web is none. */
const GLUED_FIELD = /^ *(?:- +)?[A-Za-z]+:[\w"'.-]\S*$/;

/** This line and the one before, since YAML often sees only there that something is wrong. */
function nearby(text: string, offset: number): string {
  const lineStart = text.lastIndexOf("\n", offset - 1);
  const lineEnd = text.indexOf("\n", offset);
  const start = lineStart < 0 ? 0 : text.lastIndexOf("\n", lineStart - 1) + 1;
  return text.slice(start, lineEnd < 0 ? undefined : lineEnd).replaceAll("\r", "");
}
