import { boolCoreTag, dump, floatCoreTag, intCoreTag, mapTag, nullCoreTag } from "js-yaml";
import { KUBECTL_SCHEMA } from "./scalars.ts";

/** What reads like another type to kubectl is quoted; the tags behind know how to write each type. */
const SCHEMA = KUBECTL_SCHEMA.withTags(mapTag, nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag);

/** Objects as a multi-document YAML text that kubectl reads back to the same values. */
export function yamlText(objects: readonly unknown[]): string {
  return objects.map((object) => dump(object, { schema: SCHEMA, lineWidth: -1, noRefs: true })).join("---\n");
}
