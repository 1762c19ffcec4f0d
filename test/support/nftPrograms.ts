import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The versions of nft that can be tried here. */

const NEWER = fileURLToPath(new URL("../../.tools/nft-new/nft", import.meta.url));

export interface NftProgram {
  /** For the names of tests. */
  readonly title: string;
  readonly path: string;
}

/** The system's nft and, where it was set up, a newer one; in CI both must be there. */
export function nftPrograms(): readonly NftProgram[] {
  const system: NftProgram = { title: "the system's nft", path: "nft" };
  if (existsSync(NEWER)) return [system, { title: "a newer nft", path: NEWER }];
  const message = "ONLY ONE VERSION OF nft IS TRIED: `node scripts/setup.mjs --newer-nft` fetches a newer one";
  if (process.env.CI === "true") throw new Error(message);
  console.warn(`\n!!! ${message}\n`);
  return [system];
}
