import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { chooseBackend } from "../../../src/pipeline/backend.ts";

describe("the backend that is chosen for the user", () => {
  const tools = mkdtempSync(join(tmpdir(), "svctables-tools-"));
  const install = (name: string, script: string) => {
    writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(tools, name), 0o755);
  };
  const choose = () =>
    chooseBackend({
      searchPath: tools,
      hostName: "n1",
      addresses: [],
      conntrackIsLiberal: false,
      legacyTables: { ipv4: [], ipv6: [] },
    });

  beforeEach(() => install("nft", "echo nftables v1.0.6"));
  afterAll(() => rmSync(tools, { recursive: true }));

  it("is nftables where nft takes its rules in a namespace made for that", async () => {
    install("unshare", "exit 0");
    expect((await choose()).backend).toBe("nftables");
  });

  it("is iptables where nft does not, and nft's words say why", async () => {
    install("unshare", "echo 'Error: Could not process rule: No such file or directory' >&2; exit 1");
    expect(await choose()).toEqual({
      backend: "iptables",
      why: "nftables cannot be used: Error: Could not process rule: No such file or directory",
    });
  });

  it("is iptables where nft does not even tell its version, since the kernel knows no nftables", async () => {
    install("nft", "echo 'src/mnl.c:64: Unable to initialize Netlink socket: Protocol not supported' >&2; exit 1");
    expect((await choose()).why).toContain("Unable to initialize Netlink socket: Protocol not supported");
  });

  it("is iptables where no namespace may be made, as in the units of systemd; what to do is said", async () => {
    install("unshare", "echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1");
    const reason = "trying it needs CAP_SYS_ADMIN (unshare: unshare failed: Operation not permitted)";
    expect(await choose()).toEqual({
      backend: "iptables",
      why: `nftables cannot be used: ${reason}; name the backend instead`,
    });
  });
});
