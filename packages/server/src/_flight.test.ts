import { expect, spyOn, test } from "bun:test";
import { Accounts, createAccounts } from "./_accounts.ts";
import { createFlight, Flight, UNREAD } from "./_flight.ts";
import { SharedLock } from "./_lock.ts";

test("of two threads that reply at once the higher descriptor counts", () => {
  const lock = new SharedLock(new Int32Array(new SharedArrayBuffer(4)), 0, -1);
  const memory = createFlight(64);
  const [one, other] = [1, 2].map(
    () => new Flight(memory, new Accounts(createAccounts(4), lock), () => 0),
  );
  one?.setUnread(5, UNREAD.plain);
  const { load } = Atomics;
  /* The other one replies when the first has just looked how far replies reach. */
  const interrupted = (cells: Int32Array, at: number) => {
    const found = load(cells, at);
    if (at === 1) {
      looking.mockRestore();
      other?.setUnread(40, UNREAD.plain);
    }
    return found;
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the cells are of this one type
  const looking = spyOn(Atomics, "load").mockImplementation(interrupted as typeof load);
  one?.setUnread(20, UNREAD.plain);
  looking.mockRestore();
  expect(one?.used).toBe(41);
});
