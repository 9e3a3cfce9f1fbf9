import { expect, spyOn, test } from "bun:test";
import { UNREAD } from "./flight.ts";
import { createMemory, FIELD } from "./memory.ts";
import { Shared } from "./shared.ts";

/** The descriptors that so many calls of recount() ask about, with these in flight. */
function asked(inFlight: readonly number[], goes = 1): number[] {
  const shared = new Shared(createMemory(256, 1));
  for (const fd of inFlight) shared.flight.setUnread(fd, UNREAD.socket);
  shared.addConnection(200); // recount() has to skip free entries below it
  const found: number[] = [];
  const ask = (fd: number) => {
    found.push(fd);
    return false;
  };
  for (let go = 0; go < goes; go++) shared.flight.recount(-1, ask);
  return found;
}

test("one recount asks about each socket in flight once, and about at most 32", () => {
  expect(asked([])).toEqual([]);
  expect(asked([7])).toEqual([7]);
  expect(asked([7, 150])).toEqual([7, 150]);
  const many = Array.from({ length: 80 }, (_, i) => 2 * i + 1);
  expect(asked(many)).toEqual(many.slice(0, 32));
  expect(asked(many, 3)).toEqual([...many, ...many.slice(0, 16)]);
});

test("a recount for one user asks only about that user's sockets", () => {
  const shared = new Shared(createMemory(64, 1));
  const accounts = [1, 2].map((uid, i) => {
    shared.set(5 + i, FIELD.uid, uid);
    shared.addConnection(5 + i);
    shared.flight.setUnread(5 + i, UNREAD.socket);
    return shared.get(5 + i, FIELD.account);
  });
  const found: number[][] = accounts.map(() => []);
  accounts.forEach((account, i) =>
    shared.flight.recount(account, (fd) => found[i]?.push(fd) === 0),
  );
  expect(found).toEqual([[5], [6]]);
});

test("a reply that is sent while the last one is settled still counts as unread", () => {
  const { flight } = new Shared(createMemory(64, 1));
  flight.setUnread(5, UNREAD.socket);
  const answeredMeanwhile = (fd: number) => {
    flight.setUnread(fd, UNREAD.socket);
    return true;
  };
  expect(flight.settle(5, answeredMeanwhile)).toBe(false);
  expect(flight.inFlight()).toBe(1);
  expect(flight.settle(5, () => true)).toBe(true);
  expect(flight.inFlight()).toBe(0);
});

test("a user's counts never fall short of the total when nobody else has any", () => {
  const shared = new Shared(createMemory(64, 1));
  shared.addConnection(5);
  const account = shared.get(5, FIELD.account);
  const missing: number[] = [];
  const { add, sub } = Atomics;
  const looked = (change: typeof add) => (cells: Int32Array, at: number, value: number) => {
    const before = change(cells, at, value);
    missing.push(
      shared.connections() - shared.connectionsOf(account),
      shared.flight.inFlight() - shared.inFlightOf(account),
    );
    return before;
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the cells are of this one type
  const spies = [spyOn(Atomics, "add").mockImplementation(looked(add) as typeof add)];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same
  spies.push(spyOn(Atomics, "sub").mockImplementation(looked(sub) as typeof sub));
  shared.addConnection(6);
  shared.flight.setUnread(5, UNREAD.socket);
  shared.flight.settle(5, () => true);
  shared.removeConnection(5);
  for (const spy of spies) spy.mockRestore();
  expect(missing.length).toBe(16);
  expect(Math.max(...missing)).toBe(0);
});
