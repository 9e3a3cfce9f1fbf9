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

test("two swapped letters count as one mistake, two other letters as two, which only a long key may have", () => {
  expect(() => refuseMisspelt("try", { prot: 1 }, ["port"])).toThrow("Did you mean port?");
  expect(() => refuseMisspelt("try", { pxot: 1 }, ["port"])).not.toThrow();
  expect(() => refuseMisspelt("try", { proxt: 1 }, ["port"])).not.toThrow();
  expect(() => refuseMisspelt("try", { timeout: 1 }, ["timeoutMs"])).toThrow("mean timeoutMs?");
});

test("a key in another case is a misspelt one, and one that is like none of the known is left to Bun", () => {
  expect(() => refuseMisspelt("try", { VIA: 1 }, ["via"])).toThrow("Did you mean via?");
  expect(() => refuseMisspelt("try", { other: 1 }, ["via"])).not.toThrow();
});

test("a longer word for an option is told its name", () => {
  expect(() => refuseUnknown("try", { hostname: 1 }, ["via", "host"])).toThrow(
    "Did you mean host?",
  );
});
