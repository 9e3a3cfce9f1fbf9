import { expect, test } from "bun:test";
import { typesOf } from "./check.ts";

test.each([
  ["3000", ["stream", "dgram"]],
  ["tcp/80,tcp/443", ["stream"]],
  ["udp/53", ["dgram"]],
  ["udp/53 tcp/53", ["stream", "dgram"]],
  ["*", ["stream", "dgram"]],
])("the ports %j need %j", (xbind, types: string[]) => {
  expect<string[]>(typesOf(xbind)).toEqual(types);
});
