import { expect, test } from "bun:test";
import { errno } from "@xsocket/xbind-native";
import { DEFAULT_BOUNDS, fitBounds, roomFor } from "./bounds.ts";

test("the defaults hold where descriptors abound", () => {
  expect(fitBounds({}, 1_000_000, 4)).toEqual(DEFAULT_BOUNDS);
});

test("a low limit of descriptors lowers what depends on it", () => {
  const bounds = fitBounds({}, 1024, 4);
  expect(bounds.maxConnections).toBe(1024 - 48 - 4 * 8);
  expect(bounds.maxConnectionsPerUid).toBe(708);
  expect(bounds.maxInFlight).toBe(512);
  expect(bounds.maxInFlightPerUid).toBe(384);
  // what was asked for is not cut to leave others some
  expect(fitBounds({ maxInFlightPerUid: 500 }, 1024, 4).maxInFlightPerUid).toBe(500);
});

test("what the threads need is left to them", () => {
  expect(fitBounds({}, 1024, 64).maxConnections).toBe(1024 - 48 - 64 * 8);
  expect(() => fitBounds({}, 256, 64)).toThrow("more than 560 are needed");
});

test("a user's bound is never above everybody's", () => {
  expect(fitBounds({ maxConnections: 4 }, 1024, 4).maxConnectionsPerUid).toBe(4);
  expect(fitBounds({ maxInFlight: 4 }, 1024, 4).maxInFlightPerUid).toBe(4);
});

test("a user has what others leave, but for a quarter that is for those who have few", () => {
  expect(roomFor(39, 39, 40)).toBe(40); // nobody else has any
  expect(roomFor(39, 38, 40)).toBe(40); // nor while another thread counts one less
  expect(roomFor(38, 39, 40)).toBe(30);
  expect(roomFor(8, 39, 40)).toBe(30);
  expect(roomFor(7, 39, 40)).toBe(40);
});

test("without room for one connection there is no server", () => {
  expect(() => fitBounds({}, 48 + 4 * 8, 4)).toThrow("raise the limit");
  const one = { maxConnections: 1, maxConnectionsPerUid: 1 };
  expect(fitBounds({}, 48 + 4 * 8 + 1, 4)).toMatchObject(one);
});

test("a limit that may not be read is said, and not taken for a low one", () => {
  expect(() => fitBounds({}, -errno.EPERM, 4)).toThrow(
    /^cannot read the limit of open files as uid \d+: EPERM. Let the seccomp filter allow prlimit64$/,
  );
  expect(() => fitBounds({}, -errno.ENOSYS, 4)).toThrow("ENOSYS");
});
