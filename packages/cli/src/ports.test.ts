import { expect, test } from "bun:test";
import { MisuseError } from "./errors.ts";
import { portWords, typesOf } from "./ports.ts";

test("every form of XBIND is taken, several in one word as well", () => {
  const all = ["3000", "0", "65535", "*", "tcp/53", "udp/*", "8000-8100", "8080:3000", "tcp/7-7"];
  expect(portWords(all)).toEqual(all);
  expect(portWords(["3000, 3001", "udp/53"])).toEqual(["3000", "3001", "udp/53"]);
});

test.each([
  "x",
  "",
  " ",
  "65536",
  "-1",
  "3000-",
  "9-8",
  "1-65536",
  "sctp/1",
  "1:2:3",
  "1.5",
  "0x10",
  "*:1",
])("%j is refused", (word) => {
  expect(() => portWords([word])).toThrow(MisuseError);
});

test.each([
  ["3000", ["stream", "dgram"]],
  ["tcp/80,tcp/443", ["stream"]],
  ["udp/53", ["dgram"]],
  ["udp/53 tcp/53", ["stream", "dgram"]],
  ["*", ["stream", "dgram"]],
])("the ports %j need %j", (xbind, types: string[]) => {
  expect<string[]>(typesOf(xbind)).toEqual(types);
});
