import { describe, expect, it } from "vitest";
import { findCanaries, findTables, mayHoldServices } from "../../../src/apply/kubeProxy.ts";
import { iptables } from "../../../src/backends/iptables/index.ts";
import { nftables } from "../../../src/backends/nftables/index.ts";
import type { CommandResult, Runner } from "../../../src/types.ts";

const NFT = nftables.commands("ipv4", "nft");

const tool =
  (stderr: string): Runner =>
  async (): Promise<CommandResult> => ({ exitCode: stderr === "" ? 0 : 1, stdout: "", stderr });

describe("what a kube-proxy left", () => {
  it("is nothing where nft tells that there is no such thing", async () => {
    for (const words of [
      "Error: No such file or directory\nlist map ip kube-proxy no-endpoint-nodeports",
      "Error: No such file or directory; did you mean table \u2018kube\u2019 in family ip?",
    ]) {
      expect(await findTables(tool(words), NFT)).toEqual([]);
      expect(await mayHoldServices(tool(words), "ipv4", NFT)).toBe(false);
    }
  });

  it("is nothing where the kernel knows no such thing", async () => {
    for (const words of [
      "Failed to initialize nft: Protocol not supported",
      // Both of a kernel that has nfnetlink, and may not load nf_tables.
      "netlink: Error: cache initialization failed: Invalid argument",
      "iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument",
    ]) {
      const run = tool(words);
      expect(await findTables(run, NFT)).toEqual([]);
      expect(await findCanaries(run, iptables, "ipv4", "nft")).toEqual([]);
      expect(await mayHoldServices(run, "ipv4", NFT)).toBe(false);
    }
  });

  it.each([
    "netlink: Error: cache initialization failed: Interrupted system call",
    "nft: error while loading shared libraries: libnftables.so.1: cannot open shared object file: No such file or directory",
  ])("is not known where the tool failed otherwise: two that keep one node would both act: %s", async (words) => {
    const run = tool(words);
    const rejection = { message: expect.stringContaining(words), exitCode: 2 };
    await expect(findTables(run, NFT)).rejects.toMatchObject(rejection);
    await expect(findCanaries(run, iptables, "ipv6", "nft")).rejects.toMatchObject(rejection);
    await expect(mayHoldServices(run, "ipv4", NFT)).rejects.toMatchObject(rejection);
  });
});
