import { expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { isAlone } from "../../../../tests/harness/user.ts";
import { barrierTo } from "./barrier.ts";

const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const stranger = { uid: 4_000_001, gid: 4_000_001, groups: [] };

test.skipIf(isAlone)("finds the first closed directory, else the file, else nothing", () => {
  using dir = tempDir();
  const top = dir.path;
  mkdirSync(join(top, "a/b"), { recursive: true });
  writeFileSync(join(top, "a/b/file"), "");
  for (const path of [top, join(top, "a"), join(top, "a/b")]) chmodSync(path, 0o711);
  const file = join(top, "a/b/file");
  expect(barrierTo(stranger, file)).toBeUndefined();
  chmodSync(file, 0o640);
  expect(barrierTo(stranger, file)).toBe(file);
  expect(barrierTo({ ...stranger, groups: [own.gid] }, file)).toBeUndefined();
  expect(barrierTo({ ...stranger, gid: own.gid }, file)).toBeUndefined();
  if (own.uid === 0) chownSync(file, stranger.uid, own.gid);
  expect(barrierTo({ ...stranger, uid: own.uid || stranger.uid }, file)).toBeUndefined();
  chmodSync(file, 0o044); // for the owner the kernel looks at the owner's bits alone
  if (own.uid === 0) expect(barrierTo({ ...stranger, gid: own.gid }, file)).toBe(file);
  chmodSync(file, 0o640);
  chmodSync(join(top, "a"), 0o700);
  expect(barrierTo(stranger, file)).toBe(join(top, "a"));
  expect(barrierTo({ ...stranger, ...own }, file)).toBeUndefined();
  const list = ["setfacl", "-m", `u:${stranger.uid}:x`, join(top, "a")];
  expect(Bun.spawnSync(list).exitCode).toBe(0);
  chmodSync(file, 0o644);
  expect(barrierTo(stranger, file)).toBeUndefined(); // the kernel decides by the access list
  chmodSync(join(top, "a"), 0o711);
  expect(barrierTo(stranger, join(top, "none/file"))).toBeUndefined();
});
