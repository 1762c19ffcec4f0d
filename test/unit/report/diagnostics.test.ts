import { describe, expect, it } from "vitest";
import { diagnosticsText, explanationText, foreignText, summaryText } from "../../../src/report/diagnostics.ts";
import { bugText, failureText } from "../../../src/report/failure.ts";
import { githubText } from "../../../src/report/github.ts";
import { findingsJson, jsonText } from "../../../src/report/json.ts";
import { junitText } from "../../../src/report/junit.ts";
import { sarifJson } from "../../../src/report/sarif.ts";
import { styleFor } from "../../../src/report/style.ts";
import type { Diagnostic } from "../../../src/types.ts";

const plain = styleFor(false);

const NAME: Diagnostic = {
  code: "port-name-invalid",
  severity: "error",
  source: { file: "web, new.yaml", document: 1, path: "spec.ports[0].name", line: 12, column: 11 },
  object: "Service default/web",
  message: 'spec.ports[0].name: Invalid value: "Web_1": must be a "DNS label"',
  hint: "use lower case letters,\ndigits and -",
};
const UNUSED: Diagnostic = {
  code: "endpoints-unused",
  severity: "warning",
  source: { file: "-", document: 0, item: 3 },
  message: "100% of it is <unused> & gone",
};
const BOTH = [NAME, UNUSED];

describe("diagnosticsText", () => {
  it("is one line per finding, with place, object, code and hint", () => {
    expect(diagnosticsText(BOTH, { style: plain, locate: undefined, limit: 10 })).toBe(
      'web, new.yaml:12:11: error: Service default/web: spec.ports[0].name: Invalid value: "Web_1": must be a "DNS label" [port-name-invalid]\n' +
        "  hint: use lower case letters,\ndigits and -\n" +
        "<stdin>: warning: 100% of it is <unused> & gone [endpoints-unused]\n",
    );
  });

  it("shows what stands around a place, and a caret below it, tabs or not", () => {
    const frame = [
      { number: 9, text: "  ports:" },
      { number: 10, text: "\t- name: Web_1" },
    ];
    const locate = () => ({ line: 10, frameColumn: 4, frame });
    expect(diagnosticsText([UNUSED], { style: plain, locate, limit: 1 }).split("\n").slice(1)).toEqual([
      "   9 |   ports:",
      "  10 | \t- name: Web_1",
      "     | \t  ^",
      "",
    ]);
  });

  it("lets nothing through that a terminal would act on, and keeps the caret in its place", () => {
    const evil = "\u001b[2J\u202e\u0007\r";
    const hostile: Diagnostic = {
      ...UNUSED,
      source: { file: `a${evil}.yaml`, document: 0 },
      message: evil,
      hint: evil,
    };
    const locate = () => ({ line: 1, frameColumn: 8, frame: [{ number: 1, text: `\tx${evil}y` }] });
    const text =
      diagnosticsText([hostile], { style: plain, locate, limit: 1 }) +
      githubText([hostile]) +
      failureText(evil, evil, plain);
    for (const character of ["\u001b", "\u202e", "\u0007", "\r"]) expect(text).not.toContain(character);
    expect(text).toContain("  1 | \tx\ufffd[2J\ufffd\ufffd\ufffdy\n    | \t      ^\n");
  });

  it("shows a file's name on one line, whatever it holds", () => {
    const file = "a\n::error::b\t\u009b2J\u202e\u{e0001}.yaml";
    const hostile: Diagnostic = { ...NAME, source: { ...NAME.source, file }, hint: "do" };
    const shown = "a\\u000a::error::b\\u0009\\u009b2J\\u202e\\udb40\\udc01.yaml";
    const [head = "", ...rest] = diagnosticsText([hostile], { style: plain, locate: undefined, limit: 1 }).split("\n");
    expect([head.slice(0, shown.length + 7), rest]).toEqual([`${shown}:12:11:`, ["  hint: do", ""]]);
    const junit = junitText([hostile], [hostile.source]);
    expect(junit).toContain(`<testsuite name="${shown}"`);
    expect(junit).toContain(`>${shown}:12:11: spec`);
    expect(githubText([hostile])).toMatch(/^::error file=a%0A%3A%3Aerror[^\n]*\n$/);
    const json = jsonText(findingsJson([hostile], 1, new Map()));
    for (const text of [head, junit, json]) expect(text).not.toMatch(/[^\P{C}\n]|^::error::/mu);
    expect(JSON.parse(json)).toMatchObject({ findings: [{ file }] });
  });

  it("keeps a message on its line", () => {
    const text = diagnosticsText([{ ...UNUSED, message: "a\n::error::b" }], {
      style: plain,
      locate: undefined,
      limit: 1,
    });
    expect(text).toBe("<stdin>: warning: a\\u000a::error::b [endpoints-unused]\n");
  });

  it("counts what it leaves out", () => {
    const text = diagnosticsText([NAME, UNUSED, UNUSED], { style: plain, locate: undefined, limit: 1 });
    expect(text).toMatch(/\.\.\. and 2 more\n$/);
  });

  it("has no colours unless asked", () => {
    const options = { locate: undefined, limit: 5 };
    expect(diagnosticsText(BOTH, { style: plain, ...options })).not.toContain("\u001b");
    expect(diagnosticsText(BOTH, { style: styleFor(true), ...options })).toContain("\u001b[31merror:");
  });
});

describe("one-line summaries", () => {
  it.each([
    [BOTH, 3, "1 error and 1 warning in 3 objects"],
    [[NAME, NAME], 1, "2 errors in 1 object"],
    [[UNUSED], 0, "1 warning in 0 objects"],
    [[], 7, "no findings in 7 objects"],
  ])("%#", (diagnostics, objects, expected) => {
    expect(summaryText(diagnostics, objects)).toBe(expected);
  });

  it("counts kinds of others", () => {
    expect(
      foreignText(
        new Map([
          ["Deployment", 2],
          ["ConfigMap", 1],
        ]),
      ),
    ).toBe("passed over objects of other kinds: 2 Deployment, 1 ConfigMap");
  });
});

describe("failures", () => {
  it("say what happened and what to do", () => {
    expect(failureText("no flock", "install util-linux", plain)).toBe("error: no flock\nhint: install util-linux\n");
  });

  it("a bug comes with everything that its report needs", () => {
    const text = bugText(new Error("impossible"), { node: "v20", command: "sync" }, plain);
    expect(text).toMatch(/^internal error: this is a bug in svctables/);
    expect(text).toContain("  node: v20\n  command: sync\n  Error: impossible\n");
    expect(bugText(new Error("\u001b[2J"), {}, plain)).toContain("  Error: \ufffd[2J\n");
  });
});

describe("explanationText", () => {
  it("wraps the paragraph and indents the examples", () => {
    const paragraph = "word ".repeat(40).trim();
    const text = explanationText(
      { code: "c", severity: "error", title: "T", paragraph, bad: "a: 1\nb: 2\n", good: "a: 2\n" },
      plain,
    );
    expect(text.split("\n").every((line) => line.length <= 90)).toBe(true);
    expect(text).toContain("Has the problem:\n    a: 1\n    b: 2\n");
    expect(text.replace(/\s+/g, " ")).toContain(paragraph);
  });
});

describe("githubText", () => {
  it("escapes what ends a property or a line", () => {
    expect(githubText(BOTH)).toBe(
      "::error file=web%2C new.yaml,line=12,col=11,title=port-name-invalid::" +
        'Service default/web: spec.ports[0].name: Invalid value: "Web_1": must be a "DNS label"' +
        "%0Ause lower case letters,%0Adigits and -\n" +
        "::warning file=-,title=endpoints-unused::100%25 of it is <unused> & gone\n",
    );
  });
});

describe("sarifJson", () => {
  it("has a rule for each code, and each result points to its own", () => {
    const explanation = { code: NAME.code, severity: "error", title: "T", paragraph: "P", bad: "", good: "" } as const;
    expect(sarifJson(BOTH, [explanation])).toMatchObject({
      version: "2.1.0",
      runs: [
        {
          tool: { driver: { rules: [{ id: "endpoints-unused" }, { id: NAME.code, shortDescription: { text: "T" } }] } },
          results: [
            {
              ruleId: NAME.code,
              ruleIndex: 1,
              level: "error",
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: "web,%20new.yaml" },
                    region: { startLine: 12, startColumn: 11 },
                  },
                },
              ],
            },
            {
              ruleIndex: 0,
              level: "warning",
              locations: [{ physicalLocation: { artifactLocation: { uri: "stdin" } } }],
            },
          ],
        },
      ],
    });
  });
});

describe("junitText", () => {
  it("has a case for each object; errors fail it, warnings do not", () => {
    const sources = [{ file: "web, new.yaml", document: 0 }, NAME.source, { file: "-", document: 0, item: 3 }];
    expect(junitText(BOTH, sources)).toMatchInlineSnapshot(`
      "<?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="svctables">
        <testsuite name="web, new.yaml" tests="2" failures="1">
          <testcase classname="web, new.yaml" name="document 1"/>
          <testcase classname="web, new.yaml" name="document 2: Service default/web">
            <failure type="port-name-invalid" message="spec.ports[0].name: Invalid value: &quot;Web_1&quot;: must be a &quot;DNS label&quot;">web, new.yaml:12:11: spec.ports[0].name: Invalid value: &quot;Web_1&quot;: must be a &quot;DNS label&quot; [port-name-invalid] (use lower case letters,
      digits and -)</failure>
          </testcase>
        </testsuite>
        <testsuite name="-" tests="1" failures="0">
          <testcase classname="-" name="document 1, item 4">
            <system-out>&lt;stdin&gt;: 100% of it is &lt;unused&gt; &amp; gone [endpoints-unused]</system-out>
          </testcase>
        </testsuite>
      </testsuites>
      "
    `);
  });

  it("writes nothing that XML cannot hold", () => {
    const text = junitText([{ ...NAME, message: "\u0000\u001b]0;\ufffe <a> \ud800" }], []);
    expect(text).toContain("\ufffd\ufffd]0;\ufffd &lt;a&gt; \ufffd");
  });
});

describe("findingsJson", () => {
  it("counts and lists everything", () => {
    expect(findingsJson(BOTH, 4, new Map([["Secret", 1]]))).toEqual({
      counts: { objects: 4, errors: 1, warnings: 1 },
      foreign: { Secret: 1 },
      findings: [
        expect.objectContaining({
          code: NAME.code,
          severity: "error",
          file: "web, new.yaml",
          line: 12,
          hint: NAME.hint,
        }),
        expect.objectContaining({ code: UNUSED.code, file: "-", document: 0, item: 3 }),
      ],
    });
  });
});
