/** The few JSON Schema keywords in use. All of them compile to code that needs nothing at run time. */
export interface Schema {
  readonly type: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
}

// The API server takes null for any of these: as a field not given, inside a list or a text map as its empty value.
const nullable = (type: string): readonly string[] => [type, "null"];

export const text: Schema = { type: nullable("string") };
export const time: Schema = { type: nullable("string"), pattern: timePattern() };
export const flag: Schema = { type: nullable("boolean") };
export const int32: Schema = { type: nullable("integer"), minimum: -2147483648, maximum: 2147483647 };
export const int64: Schema = { type: nullable("integer") };
export const intOrText: Schema = { type: ["integer", "string", "null"], minimum: -2147483648, maximum: 2147483647 };
export const textMap: Schema = { type: nullable("object"), additionalProperties: text };
export const texts: Schema = { type: nullable("array"), items: text };
/** Anything: for what the API server prints and nobody here reads. */
export const anyObject: Schema = { type: nullable("object"), additionalProperties: true };

/** An object in which a field that is not listed is an error, as under the server's strict field validation. */
export function closed(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: nullable("object"), properties, additionalProperties: false };
}

/** An object of which only these fields are read. */
export function open(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: nullable("object"), properties, additionalProperties: true };
}

export function list(items: Schema): Schema {
  return { type: nullable("array"), items };
}

/** RFC 3339 as Go's time.Parse reads it for the API server: one digit is enough for the hour, and days must exist. */
function timePattern(): string {
  const leapYear = "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
  const long = "(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])";
  const short = "(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)";
  const date = `(?:\\d{4}-(?:${long}|${short}|02-(?:0[1-9]|1\\d|2[0-8]))|${leapYear}-02-29)`;
  const clock = "(?:[01]?\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:[.,]\\d+)?";
  const zone = "(?:Z|[+-](?:[01]\\d|2[0-4]):(?:[0-5]\\d|60))";
  return `^${date}T${clock}${zone}$`;
}
