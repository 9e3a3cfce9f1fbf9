import { expect, test } from "bun:test";
import { refuseMisspelt, refuseUnknown } from "./_unknown.ts";

test("an option that is undefined counts as not given", () => {
  expect(() => refuseUnknown("try", { odd: undefined }, ["via"])).not.toThrow();
  expect(() => refuseUnknown("try", { odd: 1 }, ["via"])).toThrow("there is no option odd");
});

test("options that are not an object are refused", () => {
  for (const refuse of [refuseUnknown, refuseMisspelt])
    for (const none of [undefined, null, "via"])
      expect(() => refuse("try", none, ["via"])).toThrow("the options are");
});

test("two swapped letters count as one mistake, two other letters as two", () => {
  expect(() => refuseMisspelt("try", { prot: 1 }, ["port"])).toThrow("Did you mean port?");
  expect(() => refuseMisspelt("try", { pxot: 1 }, ["port"])).not.toThrow();
});
