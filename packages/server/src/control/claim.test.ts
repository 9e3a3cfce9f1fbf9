import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { SUN_PATH_BYTES } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";
import { changedDirectory } from "../../../../tests/harness/changed.ts";
import { type TempDir, tempDir } from "../../../../tests/harness/temp.ts";
import { isRoot } from "../../../../tests/harness/user.ts";
import { claimAddress, claimPath } from "./claim.ts";

const sys = loadSyscalls();
const OPTIONS = { mode: 0o600, gid: undefined, backlog: 1, refuseDescriptors: false };

/* Makes a directory of the server's, and another one with a file of the same name. Returns the path of the socket. */
function twoDirectories(dir: TempDir): string {
  for (const name of ["own", "victim"]) mkdirSync(dir.join(name));
  writeFileSync(dir.join("victim/control"), "keep");
  return dir.join("own/control");
}

/* What the owner of a directory may do at any moment. */
function swap(dir: TempDir): void {
  renameSync(dir.join("own"), dir.join("moved"));
  symlinkSync(dir.join("victim"), dir.join("own"));
}

test("replaces no file of a directory that is put in the place of its own at the start", () => {
  using dir = tempDir();
  const path = twoDirectories(dir);
  const dead = claimPath(sys, path, OPTIONS);
  sys.close(dead.listenFd);
  const connect: typeof sys.connect = (...args) => {
    swap(dir);
    return sys.connect(...args);
  };
  expect(() => claimPath({ ...sys, connect }, path, OPTIONS)).toThrow("EADDRINUSE");
  expect(readFileSync(dir.join("victim/control"), "utf8")).toBe("keep");
  expect(existsSync(dir.join("moved/control"))).toBe(false);
});

test.skipIf(!isRoot)("gives no file of a swapped directory to its group", async () => {
  using dir = tempDir();
  const path = twoDirectories(dir);
  const bind: typeof sys.bind = (...args) => {
    const rc = sys.bind(...args);
    swap(dir);
    return rc;
  };
  const claim = claimPath({ ...sys, bind }, path, { ...OPTIONS, gid: 1 });
  sys.close(claim.listenFd);
  const groups = ["victim", "moved"].map((name) => statSync(dir.join(`${name}/control`)).gid);
  expect(groups).toEqual([0, 1]);
});

test("replaces the socket of a dead server whose name nearly fills an address", async () => {
  using dir = tempDir();
  using _ = changedDirectory(dir.path);
  const name = "s".repeat(SUN_PATH_BYTES - 1);
  sys.close(claimPath(sys, name, OPTIONS).listenFd);
  const claim = claimPath(sys, name, OPTIONS);
  sys.close(claim.listenFd);
  await claim.release();
  expect(existsSync(name)).toBe(false);
});

test("a name is in use as soon as it is bound, even if nobody listens there yet", async () => {
  const address = { kind: "abstract", name: `xsocket-claim-${process.pid}` } as const;
  const starting = await claimAddress({ ...sys, listen: () => 0 }, address, OPTIONS);
  const next = claimAddress(sys, address, OPTIONS).finally(() => sys.close(starting.listenFd));
  await expect(next).rejects.toMatchObject({ code: "IN_USE" });
});
