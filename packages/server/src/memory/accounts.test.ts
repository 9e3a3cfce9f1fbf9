import { expect, test } from "bun:test";
import { Accounts, createAccounts } from "./accounts.ts";

function accounts(users: number): Accounts {
  return new Accounts(createAccounts(users));
}

/* The row of a user that finds all rows free. */
function place(all: Accounts, uid: number): number {
  const account = all.open(uid);
  all.close(account);
  return account;
}

test("counts the connections of each user separately", () => {
  const all = accounts(8);
  const [ann, bob] = [all.open(1000), all.open(1001)];
  expect(all.open(1000)).toBe(ann);
  all.addInFlight(ann, 2);
  expect([all.connections(ann), all.connections(bob)]).toEqual([2, 1]);
  expect([all.inFlight(ann), all.inFlight(bob)]).toEqual([2, 0]);
  all.addInFlight(ann, -2);
  all.close(ann);
  expect(all.open(1000)).toBe(ann);
  expect(all.connections(ann)).toBe(2);
});

test("a count that is taken back late does not reach the next user of the row", () => {
  const all = accounts(8);
  const ann = all.open(1000);
  all.addInFlight(ann, -1);
  all.close(ann);
  const others = Array.from({ length: 16 }, (_, i) => all.open(1001 + i));
  expect(others).toContain(ann); // the same row
  all.addInFlight(ann, 1);
  expect(all.inFlight(ann)).toBe(0);
});

test("accepts any user id up to the highest", () => {
  const all = accounts(8);
  const ids = [0, 1, 0x7fffffff, 0x80000000 | 0, -2 | 0];
  const open = ids.map((uid) => all.open(uid));
  expect(new Set(open).size).toBe(ids.length);
  expect(ids.map((uid) => all.open(uid))).toEqual(open);
});

test("tells users of one place apart in whatever order they leave", () => {
  const all = accounts(8);
  const uids = Array.from({ length: 1000 }, (_, uid) => uid).filter(
    (uid) => place(all, uid) === 15, // the last one
  );
  const open = uids.slice(0, 4).map((uid) => all.open(uid));
  for (const gone of [1, 3, 0]) {
    all.close(open[gone] ?? -1);
    expect(all.open(uids[2] ?? -1)).toBe(open[2] ?? -1);
  }
  expect(all.connections(open[2] ?? -1)).toBe(4);
  const others = [uids[0], uids[1], uids[3], uids[4]].map((uid) => all.open(uid ?? -1));
  expect(new Set([...others, open[2]]).size).toBe(5);
  expect(others.map((account) => all.connections(account))).toEqual([1, 1, 1, 1]);
});

test("reuses the rows of users who have left", () => {
  const all = accounts(64);
  const kept = all.open(7);
  for (let uid = 100_000; uid < 165_536; uid++) all.close(all.open(uid));
  expect(all.open(7)).toBe(kept);
  expect(all.connections(kept)).toBe(2);
});

test("has a row for as many users as there are descriptors, even if all are of few places", () => {
  const all = accounts(100);
  const uids = Array.from({ length: 20_000 }, (_, uid) => uid).filter((uid) => place(all, uid) < 4);
  const open = uids.slice(0, 100).map((uid) => all.open(uid));
  expect(new Set(open).size).toBe(100);
  for (const account of open) all.close(account);
  expect(new Set(uids.slice(-100).map((uid) => all.open(uid))).size).toBe(100);
});

test("ids that are of few places in one server are of many in another, so that nobody can aim", () => {
  const [one, other] = [accounts(100), accounts(100)];
  const uids = Array.from({ length: 10_000 }, (_, uid) => uid).filter((uid) => place(one, uid) < 4);
  expect(new Set(uids.map((uid) => place(other, uid))).size).toBeGreaterThan(50);
});
