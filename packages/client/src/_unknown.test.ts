import { expect, test } from "bun:test";
import { refuseMisspelt, refuseUnknown } from "./_unknown.ts";

test("what is undefined is not given", () => {
  expect(() => refuseUnknown("try", { odd: undefined }, ["via"])).not.toThrow();
  expect(() => refuseUnknown("try", { odd: 1 }, ["via"])).toThrow("there is no option odd");
});

test("what is no object is refused", () => {
  for (const refuse of [refuseUnknown, refuseMisspelt])
    for (const none of [undefined, null, "via"])
      expect(() => refuse("try", none, ["via"])).toThrow("the options are");
});

test("two letters that are swapped are one mistake, and two others in their places are two", () => {
  expect(() => refuseMisspelt("try", { prot: 1 }, ["port"])).toThrow("Did you mean port?");
  expect(() => refuseMisspelt("try", { pxot: 1 }, ["port"])).not.toThrow();
});
