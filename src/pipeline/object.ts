import { UserError } from "../errors.ts";
import { load } from "../input/load.ts";

/**
 * Reads one object that is no manifest; undefined if the file says nothing.
 * @throws UserError naming the place if the text cannot be read, or holds more than one object
 */
export async function readObject(file: string, stdin: () => Promise<Uint8Array>): Promise<unknown> {
  const { documents, diagnostics } = await load([file], { stdin });
  // An empty directory has no line either, and is no file of which all is commented out.
  const finding = diagnostics.find(({ code, source }) => code !== "input-empty" || source.line === undefined);
  if (finding !== undefined) {
    const { line = 1, column = 1 } = finding.source;
    const isNoObject = finding.code === "document-not-object";
    const message = isNoObject ? "keys and values are expected (key: value)" : finding.message;
    const hint = isNoObject ? undefined : finding.hint;
    throw new UserError(`${file}:${line}:${column}: ${message}`, hint ?? "mend the file");
  }
  if (documents.length > 1) {
    throw new UserError(`${file}: one document is expected, found ${documents.length}`, "keep one in the file");
  }
  return documents[0]?.value;
}
