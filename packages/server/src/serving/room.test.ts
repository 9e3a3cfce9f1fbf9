import { expect, test } from "bun:test";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { createMemory, FIELD } from "../memory/memory.ts";
import { Connections } from "./connections.ts";
import { Room } from "./room.ts";

const DESCRIPTORS = 200;

/** Room for these connections of these users. */
function roomOf(
  uids: ReadonlyMap<number, number>,
  maxInFlight: number,
  sendQueue: (fd: number) => number,
) {
  const options = threadOptions(createMemory(DESCRIPTORS, 1), DESCRIPTORS);
  const bounds = { ...options.bounds, maxInFlight, maxInFlightPerUid: maxInFlight };
  const context = threadContext({ ...options, bounds }, { monotonic: () => 0, sendQueue });
  const connections = new Connections(context);
  const { shared } = context;
  for (const [fd, uid] of uids) {
    shared.set(fd, FIELD.uid, uid);
    connections.open(fd);
  }
  return { flight: shared.flight, room: new Room(context, connections) };
}

test("a received socket of another user makes room, an unread one does not", () => {
  let queued = 768;
  const users = new Map([
    [100, 1000],
    [101, 1001],
  ]);
  const { flight, room } = roomOf(users, 1, () => queued);
  flight.setUnread(100, UNREAD.socket);
  expect(room.isFor(101)).toBe(false);
  queued = 0;
  expect(room.isFor(101)).toBe(true);
});

test("a received socket of another user makes no room in the reserved quarter", () => {
  const users = new Map(Array.from({ length: 14 }, (_, i) => [100 + i, i < 8 ? 1000 : 1001]));
  const { flight, room } = roomOf(users, 16, (fd) => (fd === 113 ? 0 : 768));
  for (const fd of users.keys()) flight.setUnread(fd, UNREAD.socket);
  expect(room.isFor(100)).toBe(false);
  expect(flight.inFlight()).toBe(13);
});

test("beside the reserved quarter, an own received socket makes room, or enough of others", () => {
  const users = new Map(Array.from({ length: 14 }, (_, i) => [100 + i, i < 9 ? 1000 : 1001]));
  const isRoom = (isReceived: (fd: number) => boolean) => {
    const { flight, room } = roomOf(users, 16, (fd) => (isReceived(fd) ? 0 : 768));
    for (const fd of users.keys()) flight.setUnread(fd, UNREAD.socket);
    return room.isFor(100);
  };
  expect(isRoom((fd) => fd === 108)).toBe(true);
  expect(isRoom((fd) => fd === 113)).toBe(false);
  expect(isRoom((fd) => fd > 109)).toBe(true);
});
