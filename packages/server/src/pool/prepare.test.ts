import { expect, test } from "bun:test";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { descriptors } from "../../../../tests/harness/descriptors.ts";
import { eventually } from "../../../../tests/harness/wait.ts";
import { crowdUntil } from "../../../../tests/server/raw.ts";
import { failingPool } from "../../test/pool.ts";
import { THREAD } from "../memory/memory.ts";

const sys = loadSyscalls();

test("starts no thread while threads, descriptors or waits are refused, and one later", async () => {
  const looks: number[] = [];
  let refused = "threads";
  let passed = 0; // ms, added to the clock
  let room = 7; // descriptors, of which a thread takes eight
  await using pool = await failingPool(2, undefined, {
    ...sys,
    monotonic: () => sys.monotonic() + passed,
    threadRoom: (count) => (looks.push(count), refused === "threads" ? -errno.EAGAIN : 0),
    epollWait: (...args) => (refused === "waits" ? -errno.EPERM : sys.epollWait(...args)),
    eventfd: () => (refused === "descriptors" && room-- <= 0 ? -errno.EMFILE : sys.eventfd()),
  });
  const lookAgain = async () => {
    const before = looks.length;
    passed += 60_000;
    await crowdUntil(pool.path, () => looks.length > before);
  };
  await lookAgain();
  let rounds = 2;
  await crowdUntil(pool.path, () => rounds-- === 0);
  expect(looks).toHaveLength(1); // each check of threadRoom starts some threads for a moment
  refused = "descriptors";
  await lookAgain();
  expect(pool.shared.serving()).toBe(1);
  expect(pool.records.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^serving thread 1 cannot be started yet .*: fewer than 17 threads/),
  ]);
  refused = "waits";
  await lookAgain();
  await eventually("it to end", () => pool.shared.thread(1, THREAD.epoll) < 0); // its descriptors are closed
  refused = "";
  await lookAgain();
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
});

test.each([
  ["EPERM", `cannot wait for clients as uid ${process.geteuid?.()}: EPERM. Let the seccomp filter`],
  ["ENOSYS", "cannot wait for clients: ENOSYS. Let the seccomp filter allow epoll_pwait"],
] as const)("fails to start where epoll_wait gives %s", async (code, words) => {
  const before = descriptors().size;
  const epollWait = () => -errno[code];
  await expect(failingPool(1, undefined, { ...sys, epollWait })).rejects.toThrow(words);
  expect(descriptors().size).toBe(before);
});

test("fails to start where epoll has no room for the user", async () => {
  const full = { ...sys, epollCtl: () => -errno.ENOSPC };
  await expect(failingPool(1, undefined, full)).rejects.toThrow(
    "cannot wait for clients: ENOSPC. Raise fs.epoll.max_user_watches (sysctl)",
  );
});

test.each([
  ["EMFILE", "Raise the limit of open files (ulimit -n, LimitNOFILE=)"],
  ["ENFILE", "Raise fs.file-max (sysctl), or end what has so many files open"],
] as const)("fails to start where a thread gets no descriptors: %s", async (code, remedy) => {
  let made = 0;
  const epollCreate = () => (++made === 1 ? -errno[code] : sys.epollCreate());
  const pool = failingPool(2, { protocols: [0] }, { ...sys, epollCreate });
  await expect(pool).rejects.toThrow(
    `a serving thread did not start: epoll_create: ${code}. ${remedy}`,
  );
});
