export interface PathOffset {
  readonly offset: number;
  /** How many steps of the path were found. */
  readonly steps: number;
}

/**
 * Steps of a field path as the API server writes it: `spec.ports[0].name`, `metadata.annotations[a.b/c]`.
 * A number in brackets is a list index unless it follows a field that maps names to text.
 */
export function parsePath(path: string): readonly (string | number)[] {
  const steps: (string | number)[] = [];
  const step = /\.?([^.[\]]+)|\[([^\]]*)\]/y;
  for (let match = step.exec(path); match !== null; match = step.exec(path)) {
    const [, name, bracket] = match;
    if (name !== undefined) steps.push(name);
    else if (bracket !== undefined) steps.push(isIndex(bracket, steps.at(-1)) ? Number(bracket) : bracket);
  }
  return steps;
}

const TEXT_MAPS = new Set<string | number | undefined>(["labels", "annotations", "selector"]);

function isIndex(bracket: string, parent: string | number | undefined): boolean {
  return /^\d+$/.test(bracket) && !TEXT_MAPS.has(parent);
}

/** Where else a value may have come from: the server names the field that it filled in, or spells a name in its own way. */
export function otherPath(path: readonly (string | number)[]): readonly (string | number)[] | undefined {
  const [first, second, ...rest] = path;
  if (first !== "spec") return undefined;
  if (second === "clusterIPs") return ["spec", "clusterIP"];
  if (second === "LoadBalancerSourceRanges") return ["spec", "loadBalancerSourceRanges", ...rest];
  if (second === "ports" && rest[1] === "targetPort") return ["spec", "ports", rest[0] ?? 0, "port"];
  return undefined;
}
