import { expect, test } from "bun:test";
import { MisuseError } from "./errors.ts";
import { portWords, typesOf } from "./ports.ts";

// tests/docs/manual.test.ts tests which words are ports
test("splits an argument into several words and refuses an empty one", () => {
  expect(portWords(["3000, 3001", "udp/53"])).toEqual(["3000", "3001", "udp/53"]);
  for (const word of ["", " "]) expect(() => portWords([word])).toThrow(MisuseError);
});

test.each([
  ["3000", ["stream", "dgram"]],
  ["tcp/80,tcp/443", ["stream"]],
  ["udp/53", ["dgram"]],
  ["udp/53 tcp/53", ["stream", "dgram"]],
  ["*", ["stream", "dgram"]],
])("the ports %j need sockets of the types %j", (xbind, types: string[]) => {
  expect<string[]>(typesOf(xbind)).toEqual(types);
});
