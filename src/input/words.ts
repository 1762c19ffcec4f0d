import { quote } from "./quote.ts";

/** The words in which the API server reports a bad field; the field's path stands in front of them. */

export const required = (detail: string): string => `Required value${detail === "" ? "" : `: ${detail}`}`;
export const invalid = (value: unknown, detail: string): string => `Invalid value: ${quote(value)}: ${detail}`;
export const forbidden = (detail: string): string => `Forbidden: ${detail}`;
export const duplicate = (value: unknown): string => `Duplicate value: ${quote(value)}`;
export const tooMany = (count: number, most: number): string => `Too many: ${count}: must have at most ${most} items`;
export const tooLong = (most: number): string => `Too long: may not be more than ${most} bytes`;
export const notSupported = (value: unknown, legal: readonly string[]): string =>
  `Unsupported value: ${quote(value)}: supported values: ${legal.map((text) => `"${text}"`).join(", ")}`;
