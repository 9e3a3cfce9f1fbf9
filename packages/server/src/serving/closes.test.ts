import { expect, test } from "bun:test";
import { EPOLLHUP, loadSyscalls } from "@xsocket/xbind-native";
import { Closes } from "./closes.ts";

const [GONE, THERE, EMPTY] = [3, 4, 5]; // connections
const [INET, PACKET, STREAM, DGRAM, RAW, SOCK_PACKET, NONBLOCK] = [2, 17, 1, 2, 3, 10, 0o4000];

/** With a clock, and sockets that take as many milliseconds to close as their number. */
function closes() {
  const clock = { now: 5 };
  const sys = { ...loadSyscalls(), monotonic: () => clock.now };
  sys.close = (fd: number) => ((clock.now += fd), 0);
  sys.sendQueue = (fd: number) => (fd === EMPTY ? 0 : 768);
  sys.poll = (fd: number) => (fd === GONE ? EPOLLHUP : 0);
  return { made: new Closes(sys), clock };
}

/** Uses up a user's credit of five seconds: each close of 7 ms costs 700 ms. */
function spend(made: Closes, uid: number): void {
  for (let i = 0; i < 7; i++) {
    made.close(7, GONE, uid, PACKET, RAW, true);
    expect(made.holdsBack(uid, PACKET, RAW)).toBe(false);
  }
}

test("holds back a user for a hundred times the close time of packet sockets, beyond a credit", () => {
  const { made, clock } = closes();
  spend(made, 1000);
  made.close(7, GONE, 1000, PACKET, RAW, true);
  const held = () => [
    made.holdsBack(1000, PACKET, DGRAM),
    made.holdsBack(1000, INET, SOCK_PACKET),
    made.holdsBack(1000, INET, STREAM | NONBLOCK),
    made.holdsBack(1001, PACKET, RAW),
  ];
  expect(held()).toEqual([true, true, false, false]);
  const owed = 8 * 700 - 7 * 7 - 5000; // ms; the time of the later closes has paid some
  clock.now += owed - 1;
  expect(held()).toEqual([true, true, false, false]);
  clock.now++;
  expect(held()).toEqual([false, false, false, false]);
  clock.now += 60_000; // the credit is full again, and no larger
  spend(made, 1000);
  made.close(7, GONE, 1000, PACKET, RAW, true);
  expect(held()).toEqual([true, true, false, false]);
});

test("holds back for at most a second, and only for slow closes of packet sockets not received", () => {
  const { made, clock } = closes();
  spend(made, 1000);
  clock.now += 100; // the credit is nearly used up
  for (let i = 0; i < 10; i++) made.close(3, GONE, 1000, PACKET, RAW, true);
  made.close(7, GONE, 1000, INET, STREAM | NONBLOCK, true);
  made.close(7, THERE, 1000, PACKET, RAW, true);
  expect(made.holdsBack(1000, PACKET, RAW)).toBe(false);
  for (const [connection, isSent] of [
    [THERE, false], // the client no longer receives
    [EMPTY, true], // a filter of the client has dropped it
  ] as const) {
    made.close(300, connection, 1000, PACKET, RAW, isSent);
    expect(made.holdsBack(1000, PACKET, RAW)).toBe(true);
    clock.now += 1000;
    expect(made.holdsBack(1000, PACKET, RAW)).toBe(false);
  }
});

test("limits slow closes of all users together to a tenth of the time", () => {
  const { made, clock } = closes();
  const isHeldBack = () => made.holdsBack(2000, PACKET, RAW);
  for (let uid = 0; uid < 50; uid++) made.close(10, GONE, uid, PACKET, RAW, true);
  expect(isHeldBack()).toBe(false); // at most 5000 ms are owed
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
  made.close(60_000, GONE, 1000, PACKET, RAW, true); // as if the thread had lost its processor for that long
  expect(isHeldBack()).toBe(true);
  clock.now += 1000;
  expect(isHeldBack()).toBe(false);
});
