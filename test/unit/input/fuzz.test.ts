import { expect, test } from "vitest";
import { fuzz } from "../../support/inputFuzz.ts";

/** A short run; `node scripts/fuzz.mjs` makes long ones. */
test("mutated manifests neither crash nor slip through", async () => {
  const { manifests, codes } = await fuzz({ seed: 20, count: 1_000, root: "." });
  // The mutations must be of both kinds: some texts get through, many are refused for many reasons.
  expect(manifests).toBeGreaterThan(200);
  expect(codes.size).toBeGreaterThan(60);
}, 120_000);
