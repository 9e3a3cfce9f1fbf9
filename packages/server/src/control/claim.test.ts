import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { SUN_PATH_BYTES } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { claimPath } from "./claim.ts";

const sys = loadSyscalls();
const OPTIONS = { mode: 0o600, gid: undefined, backlog: 1, refuseDescriptors: false };

test("replaces no file of a directory that is put in the place of its own at the start", () => {
  using dir = tempDir();
  const path = dir.join("own/control");
  for (const name of ["own", "victim"]) mkdirSync(dir.join(name));
  writeFileSync(dir.join("victim/control"), "keep");
  const dead = claimPath(sys, path, OPTIONS);
  sys.close(dead.listenFd);
  const connect: typeof sys.connect = (...args) => {
    renameSync(dir.join("own"), dir.join("moved"));
    symlinkSync(dir.join("victim"), dir.join("own"));
    return sys.connect(...args);
  };
  expect(() => claimPath({ ...sys, connect }, path, OPTIONS)).toThrow("EADDRINUSE");
  expect(readFileSync(dir.join("victim/control"), "utf8")).toBe("keep");
  expect(existsSync(dir.join("moved/control"))).toBe(false);
});

test("replaces the socket of a dead server whose name nearly fills an address", async () => {
  using dir = tempDir();
  const before = process.cwd();
  process.chdir(dir.path);
  try {
    const name = "s".repeat(SUN_PATH_BYTES - 1);
    sys.close(claimPath(sys, name, OPTIONS).listenFd);
    const claim = claimPath(sys, name, OPTIONS);
    sys.close(claim.listenFd);
    await claim.release();
    expect(existsSync(name)).toBe(false);
  } finally {
    process.chdir(before);
  }
});
