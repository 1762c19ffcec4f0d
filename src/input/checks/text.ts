import type { Finding } from "./check.ts";
import { plain, service } from "./examples.ts";

/** What can be wrong before an object's fields are looked at: in the text, or in the shape of the object. */

const good = plain("name: web");

function finding(code: string, title: string, paragraph: string, bad: string, fixed = good): Finding {
  return { code, severity: "error", title, paragraph, bad, good: fixed };
}

export const textFindings: readonly Finding[] = [
  finding(
    "input-unreadable",
    "A file or directory cannot be read",
    "The path does not exist, is not permitted, or is no ordinary file. Addresses on the network are not fetched.",
    "# svctables validate -f no-such-file.yaml\n",
  ),
  finding(
    "input-empty",
    "An input holds no document",
    "The file is empty or holds only comments, or a directory holds no manifest.",
    "# nothing here\n",
  ),
  finding(
    "encoding-utf16",
    "The file is UTF-16",
    "Manifests are read as UTF-8, with or without byte order mark.",
    "\ufeff(UTF-16)",
  ),
  finding(
    "encoding-invalid",
    "The file is not valid UTF-8",
    "Some byte is not part of any character: the file may be binary or in an old encoding.",
    "\u00ff",
  ),
  finding(
    "binary-input",
    "The file is binary",
    "It holds NUL bytes or is compressed, so it cannot be a manifest.",
    "\0",
  ),
  finding(
    "control-character",
    "The file holds a control character",
    "Control characters hide text from readers, and a carriage return alone ends a line for some parsers and not for others.",
    "kind: Service\r",
  ),
  finding(
    "yaml-syntax",
    "The YAML cannot be parsed",
    "A quote, bracket or indentation is wrong at the place that is named.",
    "kind: [Service\n",
  ),
  finding(
    "yaml-tag",
    "A YAML tag is not known",
    "Tags such as !secret or !!binary have no meaning in manifests, and kubectl refuses them.",
    plain("name: !secret web"),
  ),
  finding(
    "yaml-directive",
    "The YAML starts with a directive",
    "kubectl refuses %YAML and %TAG lines as well.",
    `%YAML 1.1\n---\n${good}`,
  ),
  finding(
    "separator-junk",
    "Something stands behind ---",
    "A line that starts with --- separates documents. What follows on the same line would be text for one parser and ignored by the next.",
    `---foo\n${good}`,
  ),
  finding(
    "json-syntax",
    "The JSON cannot be parsed",
    "A comma, quote or bracket is wrong at the place that is named.",
    '{"kind": "Service", "metadata": {"name": "web"}\n',
  ),
  finding(
    "duplicate-key",
    "A field is given twice",
    "Which of the two counts depends on the parser: kubectl takes the last one silently. Both YAML and JSON are checked, escapes included, and what a merge key (<<) sets again.",
    service("spec:\n  ports:\n  - port: 80\n    port: 81"),
  ),
  finding(
    "null-key",
    "A field has no name",
    "A key is empty, null, a list or a mapping; the field of an object has a name.",
    `${good}~: x\n`,
  ),
  finding(
    "proto-key",
    "A field is called __proto__",
    "No object has such a field; it is a trick against programs written in JavaScript.",
    `${good}__proto__: {a: 1}\n`,
  ),
  finding(
    "alias-forbidden",
    "A YAML alias is used",
    "Aliases (*name) can make a few lines stand for gigabytes, so they are refused.",
    `${plain("{name: &n web, namespace: *n}")}`,
  ),
  finding(
    "nesting-too-deep",
    "The document is nested too deeply",
    "More than 100 levels: no Kubernetes object is.",
    `a: ${"[".repeat(101)}${"]".repeat(101)}\n`,
  ),
  finding(
    "number-out-of-range",
    "A number is not finite, or a field's name is too large a number",
    "JSON, which the API server is sent, has no .inf and .nan. A number beyond 2^53 is rounded here, and two names may become one. As text they need quotes.",
    service("spec:\n  ports:\n  - port: .inf"),
  ),
  finding(
    "document-not-object",
    "A document is not an object",
    "A manifest is a mapping that starts with apiVersion and kind.",
    "- just\n- a list\n",
  ),
  finding(
    "kind-missing",
    "The object does not say what it is",
    "Every manifest names its kind; without one nobody knows which fields it may have.",
    "apiVersion: v1\nmetadata: {name: web}\n",
  ),
  finding(
    "api-version-missing",
    "The object does not say which API it belongs to",
    "Every manifest names its apiVersion: the same kind may exist in several APIs.",
    "kind: Service\nmetadata: {name: web}\n",
  ),
  finding(
    "kind-misspelt",
    "The kind is almost one of ours",
    "Kinds are case-sensitive and singular. An object with a misspelt kind would silently be left out.",
    "apiVersion: v1\nkind: service\nmetadata: {name: web}\n",
  ),
  finding(
    "api-version-wrong",
    "The kind does not exist in this API version",
    "Service, Endpoints, Node and Pod are in v1, EndpointSlice in discovery.k8s.io/v1 (v1beta1 ended with 1.25).",
    "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\nmetadata: {name: web}\n",
  ),
  finding(
    "unknown-field",
    "A field does not exist",
    "Field names are case-sensitive. A field that does not exist would have no effect, which is seldom what was meant.",
    service("spec:\n  clusterIp: 10.96.0.10\n  ports:\n  - port: 80"),
    service("spec:\n  clusterIP: 10.96.0.10\n  ports:\n  - port: 80"),
  ),
  finding(
    "wrong-type",
    "A value has the wrong type",
    'Text is not a number and a number is not text: port: "80" and version: 1.0 as a label are refused. Unquoted yes, no, on and off are booleans. Times are written as RFC 3339 says.',
    service('spec:\n  ports:\n  - port: "80"'),
    service("spec:\n  ports:\n  - port: 80"),
  ),
  finding(
    "integer-range",
    "An integer is too large",
    "Integer fields hold 32 bits, from -2147483648 to 2147483647.",
    service("spec:\n  ports:\n  - port: 4294967296"),
    service("spec:\n  ports:\n  - port: 80"),
  ),
];
