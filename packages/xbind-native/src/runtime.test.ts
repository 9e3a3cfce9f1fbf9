import { expect, test } from "bun:test";
import { wrongBun } from "./runtime.ts";

test("this Bun has the version that the package needs", () => {
  expect(wrongBun()).toBeUndefined();
});

test("another patch version is accepted, another minor or major version is refused", () => {
  expect(wrongBun("1.4.99", "1.4.5")).toBeUndefined();
  for (const version of ["1.3.9", "1.40.5", "2.4.5"])
    expect(wrongBun(version, "1.4.5")).toBe(
      `this is Bun ${version} and xsocket is made for 1.4.5: install that`,
    );
});
