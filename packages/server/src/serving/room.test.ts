import { expect, test } from "bun:test";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { createMemory, FIELD } from "../memory/memory.ts";
import { Connections } from "./connections.ts";
import { Room } from "./room.ts";

const DESCRIPTORS = 200;

test("what another user has received makes room, and what waits for that user does not", () => {
  const options = threadOptions(createMemory(DESCRIPTORS, 1), DESCRIPTORS);
  const bounds = { ...options.bounds, maxInFlight: 1, maxInFlightPerUid: 1 };
  let queued = 768;
  const kernel = { monotonic: () => 0, sendQueue: () => queued };
  const context = threadContext({ ...options, bounds }, kernel);
  const connections = new Connections(context);
  const { shared } = context;
  for (const [fd, uid] of [
    [100, 1000],
    [101, 1001],
  ] as const) {
    shared.set(fd, FIELD.uid, uid);
    connections.open(fd);
  }
  shared.flight.setUnread(100, UNREAD.socket);
  const room = new Room(context, connections);
  expect(room.isFor(101)).toBe(false);
  queued = 0;
  expect(room.isFor(101)).toBe(true);
});
