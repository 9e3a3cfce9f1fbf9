/* The file that run starts is the one that execvp(3) finds. */
import { expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { HELD_TO_MODES, here, isContained, OWN_MOUNTS, tempDir, typed } from "../harness/index.ts";
import { quietRun } from "./quiet.ts";

const RUN = await quietRun();

/* The words after "#!", quoted for bash. */
test.each([
  ["lies at a path beyond ASCII", '"$PWD/caf\u00e9/sh"'],
  ["lies at a path that is no text", "\"$PWD/\"$'\\xff/sh'"],
  ["comes after an option of env(1) that takes a word", "'/usr/bin/env -S -u NAME sh'"],
  ["comes after a variable for env(1)", "'/usr/bin/env -S NAME=value sh'"],
  ["is quoted for env(1)", "'/usr/bin/env -S \"sh\"'"],
])("finds an interpreter that %s", async (_where, line) => {
  using dir = tempDir();
  const shells = `mkdir caf\u00e9 $'\\xff' && cp /bin/sh caf\u00e9 && cp /bin/sh $'\\xff'`;
  const script = `printf '#!%s\\necho fine\\n' ${line} >script && chmod +x script`;
  const start = `${shells} && ${script} && ${typed(...RUN)} -- ./script`;
  const result = await here.run(["bash", "-c", start], { cwd: dir.path });
  expect(result).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
});

test("finds a program in a directory that is not UTF-8 or not readable", async () => {
  using dir = tempDir();
  const prepared = `mkdir $'\\xff' && cd $'\\xff' && cp /bin/echo program && chmod 0111 program`;
  const run = typed(...HELD_TO_MODES, ...RUN, "--");
  const script = `${prepared} && ${run} ./program path && PATH=$PWD:$PATH ${run} program name && mv program .. && cd .. && ${run} ./program unread`;
  const result = await here.run(["bash", "-c", script], { cwd: dir.path });
  expect(result).toEqual({ code: 0, stdout: "path\nname\nunread\n", stderr: "" });
});

/* A relative name must be resolved as the kernel does: the absolute name may mean another file or none. */
test.each([
  ["below one that may not be entered", "chmod 0 .. && ", "./program"],
  [
    "of a relative entry of PATH, below one that may not be entered",
    "chmod 0 .. && PATH=.:$PATH && ",
    "program",
  ],
  ["that is gone, through another one", "rmdir ../in && ", "../out/program"],
  ["behind a link and ..", "ln -s ../out/deep link && ", "link/../program"],
  [
    "of PATH behind a link and ..",
    "ln -s ../out/deep link && PATH=$PWD/link/..:$PATH && ",
    "program",
  ],
])("finds a program in a directory %s", async (_where, prepared, name) => {
  using dir = tempDir();
  const made = "mkdir -p top/in top/out/deep && cp /bin/echo top/out/program && cd top/in";
  const isOut = name.includes("out") || prepared.includes("link");
  const copied = isOut ? "" : "cp /bin/echo program && ";
  const script = `${made} && ${copied}${prepared} exec "$@"`;
  const start = (...argv: string[]) =>
    here.run(["sh", "-c", script, "sh", ...HELD_TO_MODES, ...argv, name, "found"], {
      cwd: dir.path,
    });
  const plain = await start("env");
  await here.run(["sh", "-c", "chmod 700 top; rm -r top"], { cwd: dir.path });
  const under = await start(...RUN, "--");
  await here.run(["chmod", "700", "top"], { cwd: dir.path });
  expect(plain).toEqual({ code: 0, stdout: "found\n", stderr: "" });
  expect(under).toEqual(plain);
});

/* The roots of two tmpfs have the same inode number, and two directories of one file system the same device. */
test.skipIf(isContained).each([
  ["of another file system", "mount -t tmpfs none m &&", "mount -t tmpfs none"],
  ["of the same one", "", "mount --bind ../other"],
])("finds a program in a directory hidden by a later mount %s", async (_which, first, later) => {
  using dir = tempDir();
  const script = `mkdir m other && ${first} cd m && cp /bin/echo program && ${later} ../m && exec "$@"`;
  const start = [...OWN_MOUNTS, "sh", "-c", script, "sh", ...RUN, "--", "./program", "found"];
  const result = await here.run(start, { cwd: dir.path });
  expect(result).toEqual({ code: 0, stdout: "found\n", stderr: "" });
});

/* A relative entry of PATH means the current directory, and execvp(3) skips it if that may not be entered. */
test.each(["", "."])(
  "finds a program after %j in PATH if the current directory may not be entered",
  async (entry) => {
    using dir = tempDir();
    const script = `mkdir closed && cd closed && chmod 0 . && PATH=${entry}:$PATH && exec "$@"`;
    const start = [...HELD_TO_MODES, ...RUN, "--", "echo", "found"];
    const result = await here.run(["sh", "-c", script, "sh", ...start], { cwd: dir.path });
    chmodSync(dir.join("closed"), 0o700); // another user than root could not remove it
    expect(result).toEqual({ code: 0, stdout: "found\n", stderr: "" });
  },
);

test("finds a program without PATH where execvp(3) does", async () => {
  const result = await here.run(["env", "-u", "PATH", ...RUN, "--", "echo", "found"]);
  expect(result).toEqual({ code: 0, stdout: "found\n", stderr: "" });
});

test("runs a file without an interpreter line by sh, as execvp(3) does", async () => {
  using dir = tempDir();
  writeFileSync(dir.join("plain"), "echo plain\n");
  chmodSync(dir.join("plain"), 0o755);
  const { stdout } = await here.run([...RUN, "--", dir.join("plain")]);
  expect(stdout).toBe("plain\n");
});
