const LONGEST_QUOTE = 72;

/** A value of the input inside a message: quoted, cut short, and visible. */
export function quote(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return visible(text, LONGEST_QUOTE);
}

/**
 * Text of the input without anything that a terminal would act on: control characters, bidirectional overrides,
 * zero-width characters and lone surrogates are shown as escapes.
 */
export function visible(text: string, longest: number): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return short.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
  });
}
