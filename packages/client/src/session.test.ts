import { expect, test } from "bun:test";
import { sessionFor } from "./session.ts";

test("of the servers that a program meets in its life the last ones have a session that is shared", () => {
  const first = sessionFor("/first");
  const used = sessionFor("/used");
  for (let other = 0; other < 1100; other++) {
    sessionFor(`/other/${other}`);
    expect(sessionFor("/used")).toBe(used);
  }
  expect(sessionFor("/first")).not.toBe(first);
});
