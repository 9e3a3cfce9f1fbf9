import { expect, test } from "bun:test";
import { changedDirectory } from "../../../tests/harness/changed.ts";
import { type Session, sessionFor } from "./session.ts";

test("the shared sessions of the most recently used servers are kept, and older ones are replaced", () => {
  const first = sessionFor("/first");
  const used = sessionFor("/used");
  for (let other = 0; other < 1100; other++) {
    sessionFor(`/other/${other}`);
    expect(sessionFor("/used")).toBe(used);
  }
  expect(sessionFor("/first")).not.toBe(first);
});

test("a session of another copy of the package, as --hot loads one, is refused with what to do", async () => {
  const copy: { Session: typeof Session } = await import(`${import.meta.dir}/session.ts?another`);
  using another = new copy.Session();
  expect(() => sessionFor(another)).toThrow(
    "via is [Session] (EINVAL). Give the path of a control socket, @name, or a Session of this copy of the package (bun --hot",
  );
});

test("a relative path in another directory is that of another server", () => {
  const here = sessionFor("control");
  {
    using _ = changedDirectory("/");
    expect(sessionFor("control")).not.toBe(here);
  }
  expect(sessionFor("control")).toBe(here);
});
