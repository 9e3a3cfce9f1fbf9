import { expect, test } from "bun:test";
import { systemError } from "./_failure.ts";

const ROOM =
  "Free some room on that file system (df), or remove some files where it can have no more (df -i)";
const MEMORY = "Free some memory, or raise its limit (MemoryMax=)";

test.each([
  ["EDQUOT", ROOM],
  ["ELOOP", "The symbolic links in the path form a loop: repair them, or choose another path"],
  ["EMFILE", "Raise the limit of open files (ulimit -n, LimitNOFILE=)"],
  ["ENAMETOOLONG", "Use a shorter path"],
  ["ENFILE", "Raise fs.file-max (sysctl), or end what has so many files open"],
  ["ENOBUFS", MEMORY],
  ["ENOMEM", MEMORY],
  ["ENOSPC", ROOM],
  ["EROFS", "Choose another place"],
])("%s has its own remedy, which replaces the caller's", (code, remedy) => {
  const { message } = systemError(
    "make it",
    Object.assign(new Error(), { code }),
    "Choose another place",
  );
  expect(message).toEndWith(`: ${code}. ${remedy}`);
});
