import { expect, test } from "bun:test";
import { FailureError } from "./errors.ts";
import { checkRuntime } from "./runtime.ts";

test("this Bun is the one that the package is made for", () => {
  expect(() => checkRuntime()).not.toThrow();
});

test("another patch is taken, another minor or major number is refused in a sentence", () => {
  expect(() => checkRuntime("1.4.99", "1.4.5")).not.toThrow();
  for (const version of ["1.3.9", "1.40.5", "2.4.5"]) {
    expect(() => checkRuntime(version, "1.4.5")).toThrow(FailureError);
    expect(() => checkRuntime(version, "1.4.5")).toThrow("XSOCKET_BUN");
  }
});
