import { expect, test } from "bun:test";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { Sockets } from "./sockets.ts";

const [INET, INET6, STREAM, DGRAM, PACKET] = [2, 10, 1, 2, 10];
const [NONBLOCK, CLOEXEC] = [0o4000, 0o2000000];
const [TCP, UDP] = [6, 17];

/** On a simulated kernel that has only TCP over IPv4; with its calls and a clock. */
function sockets() {
  const asked: string[] = [];
  const clock = { now: 5 };
  const socket = (domain: number, type: number, protocol: number) => {
    asked.push([domain, type, protocol].join());
    if (domain === -2) return -errno.EMFILE;
    if (type & ~(15 | NONBLOCK | CLOEXEC) || (type & 15) > PACKET) return -errno.EINVAL;
    if (domain !== INET || (type & 15) === PACKET) return -errno.EAFNOSUPPORT;
    return (type & 15) === STREAM && protocol === TCP ? 7 : -errno.EPROTONOSUPPORT;
  };
  const made = new Sockets({ ...loadSyscalls(), socket, monotonic: () => clock.now });
  return { made, asked, clock };
}

test("asks the kernel for a missing kind of socket once per second", () => {
  const { made, asked, clock } = sockets();
  for (let i = 0; i < 100; i++) {
    expect(made.make(INET, STREAM | (i % 2 === 0 ? NONBLOCK : 0), UDP)).toBe(
      -errno.EPROTONOSUPPORT,
    );
    expect(made.make(INET, DGRAM, TCP)).toBe(-errno.EPROTONOSUPPORT);
    expect(made.make(INET6, STREAM, TCP)).toBe(-errno.EAFNOSUPPORT);
  }
  const once = ["2,526337,17", "2,524290,6", "10,524289,6"];
  expect(asked).toEqual(once);
  clock.now += 1000;
  expect(made.make(INET, DGRAM, TCP)).toBe(-errno.EPROTONOSUPPORT);
  expect(made.make(INET, DGRAM, TCP)).toBe(-errno.EPROTONOSUPPORT);
  expect(asked).toEqual([...once, "2,524290,6"]);
});

test("asks the kernel for a missing family once, whatever the type and protocol", () => {
  const { made, asked } = sockets();
  for (let i = 0; i < 200; i++)
    for (const type of [STREAM, DGRAM]) expect(made.make(INET6, type, i)).toBe(-errno.EAFNOSUPPORT);
  expect(asked).toEqual(["10,524289,0"]);
  expect(made.make(INET, PACKET, 0)).toBe(-errno.EAFNOSUPPORT);
  expect(made.make(INET, STREAM, TCP)).toBe(7);
});

test("keeps an answer for one second, which another answer does not extend", () => {
  const { made, asked, clock } = sockets();
  made.make(INET, DGRAM, TCP);
  clock.now += 999;
  made.make(INET6, STREAM, TCP);
  clock.now++;
  made.make(INET, DGRAM, TCP);
  expect(asked.length).toBe(3);
});

test("tells invalid flags from a missing protocol", () => {
  const { made } = sockets();
  for (const flags of [0, 0x10, 0x1000, -(2 ** 31)])
    expect(made.make(INET, DGRAM | flags, TCP)).toBe(
      flags === 0 ? -errno.EPROTONOSUPPORT : -errno.EINVAL,
    );
});

test("tells an invalid type from a missing family", () => {
  const { made } = sockets();
  for (const type of [STREAM, PACKET, 11, 15 | NONBLOCK])
    expect(made.make(INET6, type, TCP)).toBe(
      (type & 15) > PACKET ? -errno.EINVAL : -errno.EAFNOSUPPORT,
    );
});

test("asks the kernel each time for what it has or fails for another reason", () => {
  const { made, asked } = sockets();
  made.make(INET, STREAM, UDP);
  made.make(INET, DGRAM, TCP);
  for (let i = 0; i < 3; i++) expect(made.make(INET, STREAM, TCP)).toBe(7);
  for (let i = 0; i < 3; i++) expect(made.make(-2, STREAM, TCP)).toBe(-errno.EMFILE);
  expect(asked.length).toBe(8);
  expect(asked[2]).toBe([INET, STREAM | CLOEXEC, TCP].join());
});

test("keeps 64 answers", () => {
  const { made, asked } = sockets();
  for (let i = 0; i < 200; i++) made.make(INET, STREAM, 1000 + (i % 100));
  expect(asked.length).toBe(100 + 36);
});
