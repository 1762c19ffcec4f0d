export interface PathOffset {
  readonly offset: number;
  /** How many steps of the path were found. */
  readonly steps: number;
}

/** A value inside another one. */
export interface Child {
  /** Where its key starts, or in a list it itself. */
  readonly offset: number;
  /** Where its value stands, as whoever reads the text counts. */
  readonly at: number;
}

/** Children by key, or by index in a list. */
export type Children = ReadonlyMap<string | number, Child>;

/**
 * Follows paths through a text: `steps` of one exist, and the last that does starts at `offset`. What stands on the
 * way is read once, however many paths lead through it.
 */
export function follower(
  root: Child,
  childrenAt: (at: number) => Children,
): (path: readonly (string | number)[]) => PathOffset {
  const known = new Map<number, Children>();
  return (path) => {
    let value = root;
    let steps = 0;
    for (const step of path) {
      const children = known.get(value.at) ?? childrenAt(value.at);
      known.set(value.at, children);
      const child = children.get(step) ?? children.get(String(step));
      if (child === undefined) break;
      value = child;
      steps++;
    }
    return { offset: value.offset, steps };
  };
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
