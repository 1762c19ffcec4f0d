// A newer nft than the distribution's, in a folder of its own: the packages of Debian's next release are unpacked, not
// installed, together with their C library, and started through that library's own loader.
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capture, findProgram, isRoot, loudly, root } from "./run.mjs";

const SUITE = "trixie";
const folder = join(root, ".tools/nft-new");
const program = join(folder, "nft");

/** Path of a working nft 1.1.x, fetched when it is not there yet; undefined, said loudly, when it cannot be had. */
export function ensureNewerNft() {
  if (versionOf(program) !== undefined) return program;
  try {
    fetchNft();
    const version = versionOf(program);
    if (version === undefined) throw new Error("what was unpacked does not start");
    console.log(`unpacked nft ${version} into ${folder}`);
    return program;
  } catch (error) {
    loudly(`NO NEWER nft: ${error.message}`, "Only the nft of this system can be tried.");
    return undefined;
  }
}

function versionOf(path) {
  if (!existsSync(path)) return undefined;
  return /v(\d+\.\d+\.\d+)/.exec(capture(path, ["--version"]).stdout)?.[1];
}

function fetchNft() {
  if (findProgram("apt-get") === undefined) throw new Error("there is no apt-get here");
  const part = `${folder}.${process.pid}`;
  rmSync(part, { recursive: true, force: true });
  try {
    const options = aptOptions(part);
    must("apt-get", [...options, "-q", "update"]);
    // With an empty list of installed packages, apt fetches everything that nft needs, the C library included.
    must("apt-get", [...options, "-q", "-y", "--no-install-recommends", "--download-only", "install", "nftables"]);
    const archives = join(part, "cache/archives");
    const debs = readdirSync(archives).filter((name) => name.endsWith(".deb"));
    for (const deb of debs) must("dpkg-deb", ["-x", join(archives, deb), join(part, "root")]);
    rmSync(join(part, "cache"), { recursive: true, force: true });
    rmSync(join(part, "lists"), { recursive: true, force: true });
    writeFileSync(join(part, "nft"), wrapper(join(part, "root")));
    chmodSync(join(part, "nft"), 0o755);
    rmSync(folder, { recursive: true, force: true });
    renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

/** apt's options for lists, cache and status of its own: the system's stay as they are. */
function aptOptions(part) {
  for (const name of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(part, name), { recursive: true });
  writeFileSync(join(part, "sources.list"), `deb http://deb.debian.org/debian ${SUITE} main\n`);
  writeFileSync(join(part, "status"), "");
  const settings = {
    "Dir::Etc::SourceList": join(part, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join(part, "lists"),
    "Dir::State::Status": join(part, "status"),
    "Dir::Cache": join(part, "cache"),
    "Debug::NoLocking": "1",
    // apt gives its rights away before it downloads, and may then not read a private folder.
    ...(isRoot ? { "APT::Sandbox::User": "root" } : {}),
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/** A script that starts the unpacked nft with the unpacked libraries, wherever the folder was moved. */
function wrapper(unpacked) {
  const loader = findIn(unpacked, /^ld-linux.*\.so\.\d$/);
  const libc = findIn(unpacked, /^libc\.so\.6$/);
  if (loader === undefined || libc === undefined) throw new Error("no C library among the packages");
  const libraries = libc.slice(0, libc.lastIndexOf("/"));
  return `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/root
exec "$here/${loader}" --library-path "$here/${libraries}" "$here/usr/sbin/nft" "$@"
`;
}

/** Path, relative to the folder, of the first real file with such a name. */
function findIn(top, name) {
  const found = readdirSync(top, { recursive: true, withFileTypes: true }).find(
    (entry) => entry.isFile() && name.test(entry.name),
  );
  return found === undefined ? undefined : join(found.parentPath, found.name).slice(top.length + 1);
}

function must(program, args) {
  const { exitCode, stdout, stderr } = capture(program, args, { env: { DEBIAN_FRONTEND: "noninteractive" } });
  if (exitCode !== 0) throw new Error(`${program}: ${`${stdout}\n${stderr}`.trim().split("\n").at(-1)}`);
}
