import { defineScalarTag, NOT_RESOLVED } from "js-yaml";

/**
 * Plain YAML scalars as kubectl reads them. It follows neither YAML 1.1 nor 1.2: `0644` is octal and `yes` is a
 * boolean (1.1), but `22:22` and dates stay text, and `0o644` is octal too (1.2). Large numbers are rounded, as in JSON:
 * wherever a number counts it has to fit into 32 bits, which no rounding brings about.
 */

/** A number that is none: .inf or .nan, which kubectl cannot send. */
export class NotFiniteError extends Error {
  override readonly name = "NotFiniteError";
  constructor(readonly text: string) {
    super(`${text} is not finite`);
  }
}

const TRUE = new Set(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]);
const FALSE = new Set(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]);
const NULL = new Set(["", "~", "null", "Null", "NULL"]);
const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const NOT_FINITE = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const DIGITS = [..."0123456789"];

function integerOf(match: RegExpExecArray): number {
  const [, sign, hex, binary, octal, decimal] = match;
  const magnitude =
    hex !== undefined
      ? Number.parseInt(hex, 16)
      : binary !== undefined
        ? Number.parseInt(binary, 2)
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : Number(decimal);
  // 0 - x rather than -x: a negative zero would be printed back as "-0".
  return sign === "-" ? 0 - magnitude : magnitude;
}

/**
 * Whether kubectl reads this large number as one. What fits neither 64 bits nor a float is text: a commit's hash may well
 * look like 1234e5678, and an address like 0xAb58…
 */
function fitsKubectl(plain: string, value: number): boolean {
  const [, sign = "", digits] = /^([-+]?)(0[xXbBoO].*)$/.exec(plain) ?? [];
  if (digits === undefined) return Number.isFinite(Number(plain)) && Number.isFinite(value);
  const magnitude = BigInt(digits);
  return magnitude < (sign === "" ? 2n ** 64n : sign === "-" ? 2n ** 63n + 1n : 2n ** 63n);
}

/** The number that a plain scalar stands for, or undefined when it is text. Throws NotFiniteError. */
export function numberOf(source: string): number | undefined {
  if (NOT_FINITE.test(source)) throw new NotFiniteError(source);
  // kubectl drops underscores before it looks at digits, but not in front of a leading point.
  const plain = source.startsWith(".") || !source.includes("_") ? source : source.replaceAll("_", "");
  const integer = INTEGER.exec(plain);
  const value = integer !== null ? integerOf(integer) : FLOAT.test(plain) ? Number(plain) : undefined;
  if (value === undefined || Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  return fitsKubectl(plain, value) ? value : undefined;
}

/** The name of a field whose key is written so, without quotes: `on` is "true", and 0x50 is "80". Throws NotFiniteError. */
export function nameOf(source: string): string {
  if (TRUE.has(source)) return "true";
  return FALSE.has(source) ? "false" : String(numberOf(source) ?? source);
}

const nullTag = defineScalarTag("tag:yaml.org,2002:null", {
  implicit: true,
  implicitFirstChars: ["", "~", "n", "N"],
  resolve: (source) => (NULL.has(source) ? null : NOT_RESOLVED),
  identify: () => false,
});

const boolTag = defineScalarTag("tag:yaml.org,2002:bool", {
  implicit: true,
  implicitFirstChars: [..."yYnNtTfFoO"],
  resolve: (source) => (TRUE.has(source) ? true : FALSE.has(source) ? false : NOT_RESOLVED),
  identify: () => false,
});

const intTag = defineScalarTag("tag:yaml.org,2002:int", {
  implicit: true,
  implicitFirstChars: [...DIGITS, "-", "+", "."],
  resolve: (source, isExplicit) => {
    const value = numberOf(source);
    return value === undefined || (isExplicit && !Number.isInteger(value)) ? NOT_RESOLVED : value;
  },
  identify: () => false,
});

const floatTag = defineScalarTag("tag:yaml.org,2002:float", {
  resolve: (source) => numberOf(source) ?? NOT_RESOLVED,
  identify: () => false,
});

export const SCALAR_TAGS = [nullTag, boolTag, intTag, floatTag];
