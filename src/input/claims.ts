import type { Diagnostic, ServiceManifest } from "../types.ts";
import { bundleOf, keyOf, type Side } from "./checks/bundle.ts";
import { claimChecks, claimedBy } from "./checks/clashes.ts";
import { variableRival } from "./checks/names.ts";
import { noNeighbours } from "./neighbours.ts";
import { contextOf, findingAbout, type ValidateOptions } from "./validate.ts";

/**
 * What a Service claims: addresses, node ports, and the names that its environment variables begin with. Nothing is to be
 * said about two Services that have none of it in common, and their rules are apart.
 */
export function claimsOf(manifest: ServiceManifest): readonly string[] {
  const key = keyOf(manifest);
  const rival = variableRival(manifest.metadata.name);
  const names = rival === undefined ? [key] : [key, `${manifest.metadata.namespace}/${rival}`];
  return [...new Set([...claimedBy(manifest), ...names])];
}

/** One of two Services that claim the same, and what is to be said about it. */
export interface Clash {
  /** "namespace/name" of the Service that has to give way. */
  readonly service: string;
  readonly diagnostic: Diagnostic;
}

/**
 * Services that claim what others have that stay as they were, whichever comes first in the input: an address, a
 * node port, or a port of an address that could otherwise be shared.
 * @param staying Services that nothing can be asked of
 * @param others sound Services, of which none does so to another
 */
export function clashesWith(
  staying: readonly ServiceManifest[],
  others: readonly ServiceManifest[],
  options: ValidateOptions,
): readonly Clash[] {
  const context = contextOf(options);
  const kept = new Set<Side["subject"]>(staying);
  const bundle = bundleOf([...staying, ...others], noNeighbours());
  const clashes: Clash[] = [];
  for (const check of claimChecks) {
    const report = (side: Side, hint: string) => {
      const message = `${side.message}, and that stays as it was`;
      const finding = { code: check.code, severity: "error" } as const;
      clashes.push({
        service: keyOf(side.subject),
        diagnostic: findingAbout({ ...side, message }, finding, `${hint}; or mend the other Service`),
      });
    };
    check.run(
      bundle,
      (subject, path, message, hint = check.hint, rival) => {
        if (rival !== undefined && kept.has(subject) === kept.has(rival.subject)) return;
        if (!kept.has(subject)) report({ subject, path, message }, hint);
        else if (rival !== undefined) report(rival, hint);
      },
      context,
    );
  }
  return clashes;
}
