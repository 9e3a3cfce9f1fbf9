import { expect, test } from "bun:test";
import { EPOLLHUP, loadSyscalls } from "@xsocket/xbind-native";
import { Closes } from "./closes.ts";

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

/** Takes what a user has for nothing: five seconds, at 700 ms for each close of 7 ms. */
function spend(made: Closes, uid: number): void {
  for (let i = 0; i < 7; i++) {
    made.close(7, GONE, uid, PACKET, RAW, true);
    expect(made.holdsBack(uid, PACKET, RAW)).toBe(false);
  }
}

test("whose packet sockets take long to close pays a hundred times as long, on credit at first", () => {
  const { made, clock } = closes();
  spend(made, 1000);
  made.close(7, GONE, 1000, PACKET, RAW, true);
  const held = () => [
    made.holdsBack(1000, PACKET, RAW),
    made.holdsBack(1000, INET, SOCK_PACKET),
    made.holdsBack(1000, INET, STREAM | NONBLOCK),
    made.holdsBack(1001, PACKET, RAW),
  ];
  expect(held()).toEqual([true, true, false, false]);
  const owed = 8 * 700 - 7 * 7 - 5000; // ms; it was paid while the later ones were closed
  clock.now += owed - 1;
  expect(held()).toEqual([true, true, false, false]);
  clock.now++;
  expect(held()).toEqual([false, false, false, false]);
  clock.now += 60_000; // no more than all is given again
  spend(made, 1000);
  made.close(7, GONE, 1000, PACKET, RAW, true);
  expect(held()).toEqual([true, true, false, false]);
});

test("but a second at the most, and not for those that are closed soon, nor for an ordinary one, nor while the client is there", () => {
  const { made, clock } = closes();
  spend(made, 1000);
  clock.now += 100; // until nearly all is spent
  for (let i = 0; i < 10; i++) made.close(3, GONE, 1000, PACKET, RAW, true);
  made.close(7, GONE, 1000, INET, STREAM | NONBLOCK, true);
  made.close(7, THERE, 1000, PACKET, RAW, true);
  expect(made.holdsBack(1000, PACKET, RAW)).toBe(false);
  made.close(300, THERE, 1000, PACKET, RAW, false); // it does not receive any more
  expect(made.holdsBack(1000, PACKET, RAW)).toBe(true);
  clock.now += 1000;
  expect(made.holdsBack(1000, PACKET, RAW)).toBe(false);
});

test("users who each stay below that take no more than a tenth of the time together", () => {
  const { made, clock } = closes();
  const isHeldBack = () => made.holdsBack(2000, PACKET, RAW);
  for (let uid = 0; uid < 50; uid++) made.close(10, GONE, uid, PACKET, RAW, true);
  expect(isHeldBack()).toBe(false); // 5000 ms are owed, less what was paid meanwhile
  for (let uid = 50; uid < 60; uid++) made.close(10, GONE, uid, PACKET, RAW, true);
  expect(isHeldBack()).toBe(true);
  expect(made.holdsBack(2000, INET, STREAM)).toBe(false);
  let held = 0;
  for (const end = clock.now + 60_000; clock.now < end;) {
    if (!isHeldBack()) made.close(20, GONE, clock.now, PACKET, RAW, true);
    else {
      held++;
      clock.now++;
    }
  }
  expect(held).toBeGreaterThan(53_000);
  clock.now += 5000;
  made.close(60_000, GONE, 1000, PACKET, RAW, true); // a processor that was lost for so long
  expect(isHeldBack()).toBe(true);
  clock.now += 1000;
  expect(isHeldBack()).toBe(false);
});

test("so many users are remembered", () => {
  const { made, clock } = closes();
  for (let i = 0; i < 65 * 100; i++) made.close(4, GONE, Math.floor(i / 100), PACKET, RAW, true);
  clock.now += 1000; // until others need not wait any more for what all owe together
  expect([0, 1, 64].map((uid) => made.holdsBack(uid, PACKET, RAW))).toEqual([false, true, true]);
});
