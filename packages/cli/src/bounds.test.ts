import { expect, test } from "bun:test";
import { DEFAULT_BOUNDS } from "@xsocket/server";
import { boundArgs, givenBounds } from "./bounds.ts";

test("bounds that were given are read under their own names", () => {
  expect(givenBounds({ "max-connections": "7", "take-reply-ms": "1500" })).toEqual({
    maxConnections: 7,
    takeReplyMs: 1500,
  });
});

test("each bound has an option that tells its default", () => {
  const told = Object.values(boundArgs).map(({ description }) =>
    Number(/default: (\d+)/.exec(description)?.[1]),
  );
  expect(told).toEqual(Object.values(DEFAULT_BOUNDS));
});
