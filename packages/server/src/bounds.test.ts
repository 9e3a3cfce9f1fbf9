import { expect, test } from "bun:test";
import { errno } from "@xsocket/xbind-native";
import { DEFAULT_BOUNDS, fitBounds, limitFor } from "./bounds.ts";

test("uses the defaults when there are enough descriptors", () => {
  expect(fitBounds({}, 1_000_000, 4)).toEqual(DEFAULT_BOUNDS);
});

test("a low limit of descriptors lowers the bounds that depend on it", () => {
  const bounds = fitBounds({}, 1024, 4);
  expect(bounds.maxConnections).toBe(1024 - 48 - 4 * 8);
  expect(bounds.maxConnectionsPerUid).toBe(708);
  expect(bounds.maxInFlight).toBe(512);
  expect(bounds.maxInFlightPerUid).toBe(384);
  // a bound that was set explicitly leaves no share for other users
  expect(fitBounds({ maxInFlightPerUid: 500 }, 1024, 4).maxInFlightPerUid).toBe(500);
  // but one that does not fit leaves as much as the default
  const tooMany = { maxConnectionsPerUid: 2000, maxInFlightPerUid: 1000 };
  expect(fitBounds(tooMany, 1024, 4)).toEqual(bounds);
});

test("reserves the descriptors of the threads", () => {
  expect(fitBounds({}, 1024, 64).maxConnections).toBe(1024 - 48 - 64 * 8);
  expect(() => fitBounds({}, 256, 64)).toThrow("more than 560 are needed");
});

test("a per-user bound never exceeds the bound for all users", () => {
  const four = { maxConnections: 4, maxConnectionsPerUid: 5, maxInFlight: 4, maxInFlightPerUid: 5 };
  const found = fitBounds(four, 1024, 4);
  expect(found).toMatchObject({ maxConnectionsPerUid: 4, maxInFlightPerUid: 4 });
});

test("one user leaves a quarter to the others, unless that user's bound is set", () => {
  const found = fitBounds({ maxConnections: 1000, maxInFlight: 400 }, 1_000_000, 4);
  expect(found).toMatchObject({ maxConnectionsPerUid: 750, maxInFlightPerUid: 300 });
  const all = { maxConnections: 1000, maxConnectionsPerUid: 1000 };
  expect(fitBounds(all, 1_000_000, 4)).toMatchObject(all);
});

test("a user may use what others leave, except a quarter reserved for users with few", () => {
  expect(limitFor(39, 39, 40)).toBe(40); // nobody else has any
  expect(limitFor(39, 38, 40)).toBe(40); // or another thread counts one less for a moment
  expect(limitFor(38, 39, 40)).toBe(30);
  expect(limitFor(8, 39, 40)).toBe(30);
  expect(limitFor(7, 39, 40)).toBe(40);
});

test("refuses to start without descriptors for one connection", () => {
  expect(() => fitBounds({}, 48 + 4 * 8, 4)).toThrow("raise the limit");
  const one = { maxConnections: 1, maxConnectionsPerUid: 1 };
  expect(fitBounds({}, 48 + 4 * 8 + 1, 4)).toMatchObject(one);
});

test("reports a descriptor limit that cannot be read", () => {
  expect(() => fitBounds({}, -errno.EPERM, 4)).toThrow(
    /^cannot read the limit of open files as uid \d+: EPERM. Let the seccomp filter allow prlimit64$/,
  );
  expect(() => fitBounds({}, -errno.ENOSYS, 4)).toThrow("ENOSYS");
});
