/** Path of the first field named `__proto__`, or undefined. The value's own text cannot do harm: it is a field like any other. */
export function protoPath(value: unknown, path = ""): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const key of Object.keys(value)) {
    const inner = Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    if (key === "__proto__") return inner;
    const found = protoPath(Object.getOwnPropertyDescriptor(value, key)?.value, inner);
    if (found !== undefined) return found;
  }
  return undefined;
}
