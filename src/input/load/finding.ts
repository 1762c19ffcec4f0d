import type { Diagnostic, Source } from "../../types.ts";

/** An error about the text itself, in the shape that all findings have. */
export function textError(code: string, source: Source, message: string, hint: string): Diagnostic {
  return { code, severity: "error", source, message, hint };
}
