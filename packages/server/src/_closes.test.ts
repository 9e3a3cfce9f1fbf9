import { expect, test } from "bun:test";
import { loadSyscalls } from "@xsocket/xbind-native";
import { Closes } from "./_closes.ts";
import { EPOLLHUP } from "./_epoll.ts";

const [GONE, THERE] = [3, 4]; // connections
const [INET, PACKET, STREAM, RAW, SOCK_PACKET, NONBLOCK] = [2, 17, 1, 3, 10, 0o4000];

/** With a clock, and sockets whose close takes as long as their number says. */
function closes() {
  const clock = { now: 5 };
  const sys = { ...loadSyscalls(), monotonic: () => clock.now };
  sys.close = (fd: number) => ((clock.now += fd), 0);
  sys.poll = (fd: number) => (fd === GONE ? EPOLLHUP : 0);
  return { made: new Closes(sys), clock };
}

test("whose packet socket takes long to close waits a hundred times as long for the next one", () => {
  const { made, clock } = closes();
  made.close(7, GONE, 1000, PACKET, RAW);
  const held = () => [
    made.holdsBack(1000, PACKET, RAW),
    made.holdsBack(1000, INET, SOCK_PACKET),
    made.holdsBack(1000, INET, STREAM | NONBLOCK),
    made.holdsBack(1001, PACKET, RAW),
  ];
  expect(held()).toEqual([true, true, false, false]);
  clock.now += 699;
  expect(held()).toEqual([true, true, false, false]);
  clock.now++;
  expect(held()).toEqual([false, false, false, false]);
});

test("but a second at the most, and not for one that is closed at once, nor for an ordinary one, nor while the client is there", () => {
  const { made, clock } = closes();
  made.close(0, GONE, 1000, PACKET, RAW);
  made.close(7, GONE, 1000, INET, STREAM | NONBLOCK);
  made.close(7, THERE, 1000, PACKET, RAW);
  expect(made.holdsBack(1000, PACKET, RAW)).toBe(false);
  made.close(300, GONE, 1000, PACKET, RAW);
  clock.now += 999;
  expect(made.holdsBack(1000, PACKET, RAW)).toBe(true);
  clock.now++;
  expect(made.holdsBack(1000, PACKET, RAW)).toBe(false);
});

test("so many users are remembered", () => {
  const { made } = closes();
  for (let uid = 0; uid < 65; uid++) made.close(4, GONE, uid, PACKET, RAW);
  expect([0, 1, 64].map((uid) => made.holdsBack(uid, PACKET, RAW))).toEqual([false, true, true]);
});
