import { expect, test } from "bun:test";
import { changedDirectory } from "../../../tests/harness/changed.ts";
import { sessionFor } from "./session.ts";

test("the shared sessions of the most recently used servers are kept, and older ones are replaced", () => {
  const first = sessionFor("/first");
  const used = sessionFor("/used");
  for (let other = 0; other < 1100; other++) {
    sessionFor(`/other/${other}`);
    expect(sessionFor("/used")).toBe(used);
  }
  expect(sessionFor("/first")).not.toBe(first);
});

test("a relative path in another directory is that of another server", () => {
  const here = sessionFor("control");
  {
    using _ = changedDirectory("/");
    expect(sessionFor("control")).not.toBe(here);
  }
  expect(sessionFor("control")).toBe(here);
});
