import { DEFAULT_SCALAR_STYLE_RULES, dump, SCALAR_STYLE, type ScalarStyleRule } from "js-yaml";
import { numberOf } from "./scalars.ts";

const TEXT_TAG = "tag:yaml.org,2002:str";

/** The writer knows the numbers of YAML 1.1 and 1.2; kubectl knows a few forms more, such as 0X1F, and splits before it parses. */
const quoteForKubectl: ScalarStyleRule = (layout) => {
  const { value, tag } = layout.node;
  if (layout.style !== SCALAR_STYLE.PLAIN || tag !== TEXT_TAG) return;
  if (/^(?:---|\.\.\.)/.test(value) || looksLikeNumber(value)) layout.style = SCALAR_STYLE.SINGLE_QUOTED;
};

function looksLikeNumber(text: string): boolean {
  try {
    return numberOf(text) !== undefined;
  } catch {
    return true; // One that is not finite.
  }
}

const RULES = [quoteForKubectl, ...Object.values(DEFAULT_SCALAR_STYLE_RULES)];

/**
 * Objects as a multi-document YAML text that kubectl, and this program, read back to the same values: a text that a
 * reader of YAML might take for a number, a boolean, a date or nothing is quoted. Undefined fields are left out.
 */
export function yamlText(objects: readonly unknown[]): string {
  const options = { noRefs: true, lineWidth: -1, skipInvalid: true, scalarStyleRules: RULES };
  return objects.map((object) => dump(object, options)).join("---\n");
}
