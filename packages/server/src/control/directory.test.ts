import { expect, test } from "bun:test";
import { chmodSync, chownSync, closeSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { descriptors } from "../../../../tests/harness/descriptors.ts";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { isAlone } from "../../../../tests/harness/user.ts";
import { hasUnmappedIds } from "../_unmapped.ts";
import { NOBODY } from "../policy/ids.ts";
import { lockDirectory, strangersWarning } from "./directory.ts";

const UID = process.geteuid?.() ?? 0;
const GID = process.getegid?.() ?? 0;

/** Who may replace a socket in a directory, and which directory lets them. */
function strangersOf(directory: string, gid = GID): string[] | undefined {
  const warning = strangersWarning(directory, { uid: UID, gid }) ?? "";
  return /^(.*) can replace .*, since (.*) is theirs to change/.exec(warning)?.slice(1);
}

test.skipIf(isAlone)("names who can replace the socket through any directory on its path", () => {
  using dir = tempDir();
  const root = dir.path;
  const above = join(root, "above");
  const [own, link] = [join(above, "own"), join(root, "link")];
  mkdirSync(own, { recursive: true });
  symlinkSync(own, link);
  chmodSync(own, 0o755);
  chmodSync(above, 0o1777); // sticky: only an owner may replace an entry
  expect([strangersOf(own), strangersOf(link)]).toEqual([undefined, undefined]);
  chmodSync(above, 0o777);
  expect(strangersOf(own)).toEqual(["everybody", above]);
  expect(strangersOf(link)).toEqual(["everybody", above]);
  chmodSync(above, 0o755);
  Bun.spawnSync(["setfacl", "-m", "u:4201:rwx", above]);
  expect(strangersOf(own)).toEqual(["uid 4201", above]);
  Bun.spawnSync(["setfacl", "-b", above]);
  chmodSync(root, 0o777); // the directory of the link
  rmSync(link);
  symlinkSync(tmpdir(), link);
  expect(strangersOf(link)).toEqual(["everybody", root]);
  chmodSync(root, 0o700);
  if (UID !== 0) return;
  chownSync(above, 0, 4300);
  chmodSync(above, 0o775);
  expect(strangersOf(own)).toEqual(["gid 4300", above]);
  expect(strangersOf(own, 4300)).toBeUndefined(); // as the group of --user
  chownSync(above, 4202, 4300);
  chmodSync(above, 0o1755);
  expect(strangersOf(own)).toEqual(["uid 4202", above]);
  if (hasUnmappedIds()) return; // then this may be the machine's root
  chownSync(above, NOBODY, GID);
  expect(strangersOf(own)).toEqual([`uid ${NOBODY}`, above]);
});

test('follows "link/.." to the directory that the kernel resolves', () => {
  using dir = tempDir();
  const root = dir.path;
  const link = join(root, "link");
  mkdirSync(join(root, "elsewhere/below"), { recursive: true });
  mkdirSync(join(root, "elsewhere/own"));
  symlinkSync("elsewhere/below", link);
  expect(strangersOf(`${link}/../own`)).toBeUndefined();
  chmodSync(join(root, "elsewhere"), 0o777);
  expect(strangersOf(`${link}/../own`)).toEqual(["everybody", join(root, "elsewhere")]);
});

test("waits for a directory's lock that others have, and keeps no descriptor if it cannot be had", async () => {
  using dir = tempDir();
  const results = [-errno.EAGAIN, -errno.EAGAIN, 0, -errno.EAGAIN, -errno.ENOLCK];
  const sys = { ...loadSyscalls(), flock: () => results.shift() ?? 0 };
  closeSync(await lockDirectory(sys, dir.path));
  await expect(lockDirectory(sys, dir.path)).rejects.toThrow("ENOLCK");
  expect(results).toEqual([]);
  expect([...descriptors().values()]).not.toContain(dir.path);
});
