import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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
