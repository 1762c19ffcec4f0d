import {
  label1035Problem,
  labelProblem,
  labelValueProblem,
  qualifiedNameProblem,
  subdomainProblem,
} from "../grammar.ts";
import type { InputObject } from "../objects.ts";
import { invalid, required, tooLong } from "../words.ts";
import type { Check, CheckContext } from "./check.ts";
import { plain } from "./examples.ts";

type Grammar = (text: string) => string | undefined;

function nameGrammar(object: InputObject, context: CheckContext): Grammar {
  if (object.kind !== "Service") return subdomainProblem;
  return context.kubeVersion === "1.36" ? labelProblem : label1035Problem;
}

const nameRequired: Check<InputObject> = {
  code: "name-required",
  severity: "error",
  title: "The object has no name",
  paragraph: "Every object needs metadata.name, or metadata.generateName from which the API server makes one.",
  hint: "set metadata.name",
  bad: plain("namespace: prod"),
  good: plain("name: web"),
  run: ({ metadata }, report) => {
    if (metadata.name === "") report("metadata.name", required("name or generateName is required"));
  },
};

const nameInvalid: Check<InputObject> = {
  code: "name-invalid",
  severity: "error",
  title: "The object's name has a form that its kind does not allow",
  paragraph:
    "A Service is named by a label of at most 63 lower case letters, digits and hyphens, since its name becomes a DNS label; before 1.36 it had to start with a letter. Other kinds also allow dots and 253 characters.",
  hint: "use lower case letters, digits and '-'",
  bad: plain("name: My_Service"),
  good: plain("name: my-service"),
  run: (object, report, context) => {
    const { name } = object.metadata;
    if (name === "") return;
    const problem = nameGrammar(object, context)(name);
    if (problem !== undefined) report("metadata.name", invalid(name, problem));
  },
};

const generateNameInvalid: Check<InputObject> = {
  code: "generate-name-invalid",
  severity: "error",
  title: "generateName cannot start a valid name",
  paragraph:
    "The API server appends five characters to generateName, so it may end in a hyphen; otherwise it follows the rules of names.",
  hint: "use lower case letters, digits and '-'",
  bad: plain("generateName: -web-"),
  good: plain("generateName: web-"),
  run: (object, report, context) => {
    const { generateName = "" } = object.metadata;
    if (generateName === "") return;
    // The server judges the name with a trailing hyphen, and the character before it, replaced by a letter.
    const tested =
      generateName.length > 1 && generateName.endsWith("-") ? `${generateName.slice(0, -2)}a` : generateName;
    const problem = nameGrammar(object, context)(tested);
    if (problem !== undefined) report("metadata.generateName", invalid(generateName, problem));
  },
};

const namespaceInvalid: Check<InputObject> = {
  code: "namespace-invalid",
  severity: "error",
  title: "The namespace is not a DNS label",
  paragraph:
    "Namespaces are labels of at most 63 lower case letters, digits and hyphens. An object without one belongs to the namespace default.",
  hint: "use lower case letters, digits and '-'",
  bad: plain("{name: web, namespace: my.team}"),
  good: plain("{name: web, namespace: my-team}"),
  run: ({ kind, metadata }, report) => {
    const problem = kind === "Node" ? undefined : labelProblem(metadata.namespace);
    if (problem !== undefined) report("metadata.namespace", invalid(metadata.namespace, problem));
  },
};

const labelKeyInvalid: Check<InputObject> = {
  code: "label-key-invalid",
  severity: "error",
  title: "A label's key is not a qualified name",
  paragraph:
    "Label keys are names of at most 63 letters, digits, '-', '_' and '.', optionally behind a DNS name and a slash.",
  hint: "write keys like app or example.com/app",
  bad: plain("{name: web, labels: {a/b/c: x}}"),
  good: plain("{name: web, labels: {a.example/c: x}}"),
  run: ({ metadata }, report) => {
    for (const key in metadata.labels) {
      const problem = qualifiedNameProblem(key);
      if (problem !== undefined) report("metadata.labels", invalid(key, problem));
    }
  },
};

const labelValueInvalid: Check<InputObject> = {
  code: "label-value-invalid",
  severity: "error",
  title: "A label's value has characters that labels do not allow",
  paragraph:
    "Label values are empty, or at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends.",
  hint: "put free text into an annotation",
  bad: plain('{name: web, labels: {team: "web shop"}}'),
  good: plain("{name: web, labels: {team: web-shop}}"),
  run: ({ metadata }, report) => {
    const labels = metadata.labels ?? {};
    for (const key in labels) {
      const problem = labelValueProblem(labels[key] ?? "");
      if (problem !== undefined) report("metadata.labels", invalid(labels[key], problem));
    }
  },
};

const annotationKeyInvalid: Check<InputObject> = {
  code: "annotation-key-invalid",
  severity: "error",
  title: "An annotation's key is not a qualified name",
  paragraph: "Annotation keys follow the rules of label keys, except that upper case is allowed in front of the slash.",
  hint: "write keys like note or example.com/note",
  bad: plain("{name: web, annotations: {/note: x}}"),
  good: plain("{name: web, annotations: {example.com/note: x}}"),
  run: ({ metadata }, report) => {
    for (const key in metadata.annotations) {
      const problem = qualifiedNameProblem(key.toLowerCase());
      if (problem !== undefined) report("metadata.annotations", invalid(key, problem));
    }
  },
};

const MOST_ANNOTATION_BYTES = 262_144;

const annotationsTooLong: Check<InputObject> = {
  code: "annotations-too-long",
  severity: "error",
  title: "The annotations are larger than 256 KiB together",
  paragraph: "The API server stores at most 262144 bytes of annotation keys and values per object.",
  hint: "keep large texts in a ConfigMap",
  bad: plain(`{name: web, annotations: {note: ${"x".repeat(MOST_ANNOTATION_BYTES)}}}`),
  good: plain("{name: web, annotations: {note: short}}"),
  run: ({ metadata }, report) => {
    let bytes = 0;
    const annotations = metadata.annotations ?? {};
    for (const key in annotations) bytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key] ?? "");
    if (bytes > MOST_ANNOTATION_BYTES) report("metadata.annotations", tooLong(MOST_ANNOTATION_BYTES));
  },
};

const ownerReferenceInvalid: Check<InputObject> = {
  code: "owner-reference-invalid",
  severity: "error",
  title: "An owner reference is incomplete, or there are two controllers",
  paragraph:
    "An owner reference names apiVersion (with a version), kind, name and uid; at most one owner is the controller, and Events own nothing.",
  hint: "remove ownerReferences: controllers set them",
  bad: plain("{name: web, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web}]}"),
  good: plain("{name: web, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: 7d1a}]}"),
  run: ({ metadata }, report) => {
    const owners = metadata.ownerReferences ?? [];
    owners.forEach((owner, i) => {
      const path = `metadata.ownerReferences[${i}]`;
      const { apiVersion = "", kind = "", name = "", uid = "" } = owner;
      if (!/^(?:[^/]*\/)?[^/]+$/.test(apiVersion))
        report(`${path}.apiVersion`, invalid(apiVersion, "version must not be empty"));
      if (kind === "") report(`${path}.kind`, invalid(kind, "must not be empty"));
      if (name === "") report(`${path}.name`, invalid(name, "must not be empty"));
      if (uid === "") report(`${path}.uid`, invalid(uid, "must not be empty"));
      if (/^\/?v1$/.test(apiVersion) && kind === "Event")
        report(path, invalid(`${apiVersion}, Kind=${kind}`, "is disallowed from being an owner"));
    });
    const controllers = owners.filter(({ controller }) => controller === true).map(({ name = "" }) => name);
    if (controllers.length > 1) {
      report(
        "metadata.ownerReferences",
        invalid(controllers.join(", "), "only one reference can have controller set to true"),
      );
    }
  },
};

const finalizerInvalid: Check<InputObject> = {
  code: "finalizer-invalid",
  severity: "error",
  title: "A finalizer is not a qualified name",
  paragraph:
    "Finalizers are qualified names such as example.com/guard; without a slash only kubernetes, orphan and foregroundDeletion exist.",
  hint: "write finalizers like example.com/guard",
  bad: plain("{name: web, finalizers: [guard]}"),
  good: plain("{name: web, finalizers: [example.com/guard]}"),
  run: ({ metadata }, report) => {
    metadata.finalizers?.forEach((finalizer, i) => {
      const problem = qualifiedNameProblem(finalizer);
      if (problem !== undefined) report("metadata.finalizers", invalid(finalizer, problem));
      else if (!finalizer.includes("/") && !["kubernetes", "orphan", "foregroundDeletion"].includes(finalizer)) {
        const detail = "name is neither a standard finalizer name nor is it fully qualified";
        report(`metadata.finalizers[${i}]`, invalid(finalizer, detail));
      }
    });
  },
};

const finalizersConflict: Check<InputObject> = {
  code: "finalizers-conflict",
  severity: "error",
  title: "The finalizers orphan and foregroundDeletion exclude each other",
  paragraph: "One leaves dependants alone, the other deletes them first: an object cannot ask for both.",
  hint: "keep one of the two",
  bad: plain("{name: web, finalizers: [orphan, foregroundDeletion]}"),
  good: plain("{name: web, finalizers: [orphan]}"),
  run: ({ metadata }, report) => {
    const finalizers = metadata.finalizers ?? [];
    if (!finalizers.includes("orphan") || !finalizers.includes("foregroundDeletion")) return;
    report("metadata.finalizers", invalid(finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  },
};

const generationNegative: Check<InputObject> = {
  code: "generation-negative",
  severity: "error",
  title: "metadata.generation is negative",
  paragraph: "The API server counts generations up from 1. The field is its own: leave it out.",
  hint: "remove metadata.generation",
  bad: plain("{name: web, generation: -1}"),
  good: plain("name: web"),
  run: ({ kind, metadata }, report) => {
    const { generation = 0 } = metadata;
    // That of an EndpointSlice is set before anybody looks at it.
    if (generation < 0 && kind !== "EndpointSlice")
      report("metadata.generation", invalid(generation, "must be greater than or equal to 0"));
  },
};

const managedFieldsInvalid: Check<InputObject> = {
  code: "managed-fields-invalid",
  severity: "error",
  title: "An entry of managedFields is malformed",
  paragraph:
    "managedFields is the API server's own record; an entry's operation is Apply or Update, its type FieldsV1, its manager printable and at most 128 characters.",
  hint: "remove metadata.managedFields",
  bad: plain("{name: web, managedFields: [{operation: Patch}]}"),
  good: plain("name: web"),
  run: ({ metadata }, report) => {
    metadata.managedFields?.forEach((entry, i) => {
      const path = `metadata.managedFields[${i}]`;
      const { operation = "", fieldsType = "", manager = "", subresource = "" } = entry;
      if (operation !== "Apply" && operation !== "Update")
        report(`${path}.operation`, invalid(operation, "must be `Apply` or `Update`"));
      if (fieldsType !== "" && fieldsType !== "FieldsV1")
        report(`${path}.fieldsType`, invalid(fieldsType, "must be `FieldsV1`"));
      if (manager.length > 128) report(`${path}.manager`, tooLong(128));
      if (/[^\P{C}\p{Cn}]/u.test(manager))
        report(`${path}.manager`, invalid(manager, "should only contain printable characters"));
      if (subresource.length > 256) report(`${path}.subresource`, tooLong(256));
    });
  },
};

export const metadataChecks: readonly Check<InputObject>[] = [
  nameRequired,
  nameInvalid,
  generateNameInvalid,
  namespaceInvalid,
  labelKeyInvalid,
  labelValueInvalid,
  annotationKeyInvalid,
  annotationsTooLong,
  ownerReferenceInvalid,
  finalizerInvalid,
  finalizersConflict,
  generationNegative,
  managedFieldsInvalid,
];
