import type { Family, Severity } from "../../types.ts";
import type { AddressRules } from "../grammar.ts";

export type KubeVersion = "1.33" | "1.34" | "1.35" | "1.36";

/** Describes one code: printed by `validate --explain CODE` and in docs/diagnostics.md. */
export interface Finding {
  /** Stable kebab-case name. */
  readonly code: string;
  readonly severity: Severity;
  /** One line. */
  readonly title: string;
  /** Why it is a problem and what to do. */
  readonly paragraph: string;
  /** A manifest that has the problem, and the same one without it. */
  readonly bad: string;
  readonly good: string;
  /** Flags under which the example is judged. */
  readonly flags?: string;
}

/** Reports one violation. `path` is the field as the API server writes it. */
export type Report = (path: string, message: string, hint?: string) => void;

/** What the checks know beside the object. */
export interface CheckContext {
  readonly kubeVersion: KubeVersion;
  /** How addresses in the older fields are read in this version. */
  readonly addressRules: AddressRules;
  /** Families that the cluster serves, first is the default. */
  readonly families: readonly Family[];
  /** Canonical CIDRs; empty when not known. */
  readonly serviceCIDRs: readonly string[];
  readonly nodePortRange: PortRange;
  /** Canonical CIDRs in which externalIPs may lie; undefined: anywhere. */
  readonly allowedExternalIPs: readonly string[] | undefined;
  /** The node that the rules are for, when it is known. */
  readonly nodeName: string | undefined;
  /** Usually cluster.local. */
  readonly clusterDomain: string;
}

/** Both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** A check of one kind of object: what it looks for, in words and in code. */
export interface Check<T> extends Finding {
  /** Advice that goes with every violation unless the report brings its own. */
  readonly hint: string;
  readonly run: (object: T, report: Report, context: CheckContext) => void;
}
