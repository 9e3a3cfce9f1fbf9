import { expect, test } from "bun:test";
import type { ArgsDef } from "citty";
import { many, option } from "./command.ts";
import { MisuseError } from "./errors.ts";
import { readArguments } from "./options.ts";

const ARGS = {
  path: { type: "positional", default: "here" },
  port: many("PORT", ""),
  mode: { ...option("MODE", ""), default: "0" },
  all: { type: "boolean" },
} as const satisfies ArgsDef;

test.each([
  [["--frob"], "no option --frob"],
  [["-x"], "no option -x:"],
  [["-port", "1"], "no option -port (did you mean --port?)"],
  [["-help"], "no option -help (did you mean --help?)"],
  [["--all", "-p1"], "no option -p1:"],
  [["-=1"], "no option -=1:"],
  [["--frob=a=b"], "no option --frob:"],
  [["--frob=a\nb"], "no option --frob:"],
  [["--hepl"], "no option --hepl (did you mean --help?)"],
  [["--no-all"], "no option --no-all"],
  [["--port"], "--port needs a value:"],
  [["--port", "--", "x"], "--port needs a value:"],
  [["--port=1", "--port", "2", "--port", "-1"], '--port needs a value, and "-1" is taken for an'],
  [["--all=1"], "--all takes no value"],
  [["--help=1"], "--help takes no value"],
  [["--exec", "x"], "no option --exec here (it belongs to xsocket open): see"],
  [["a", "b"], '"b" is one argument too many'],
  [["a", "--port", "1", "b", "-x", "--port"], '"b" is one argument too many'],
  [["a", "--frob", "b"], "no option --frob"],
])("refuses %j as misuse", async (argv, words) => {
  const check = () => readArguments(argv, ARGS, "xsocket t --help");
  await expect(check()).rejects.toThrow(MisuseError);
  await expect(check()).rejects.toThrow(words);
});

test.each([
  [[], {}],
  [["a"], { path: "a" }],
  [["--port", "1", "a", "--port=2", "--all"], { path: "a", port: ["1", "2"], all: true }],
  [["--mode", "1", "--mode=2"], { mode: "2" }],
  [["--", "-a"], { path: "-a" }],
])("reads %j", async (argv: string[], found) => {
  const given: object = await readArguments(argv, ARGS, "");
  expect(given).toEqual({ path: "here", port: [], mode: "0", all: false, ...found });
});

test("explains --socket to a command that takes the control socket as an argument", async () => {
  const args = {
    address: { type: "positional", required: false },
    "sockets-per-minute": { type: "string" },
  } as const satisfies ArgsDef;
  await expect(readArguments(["--socket", "/a"], args, "xsocket t --help")).rejects.toThrow(
    'there is no option --socket: give the control socket without it, or see "xsocket t --help"',
  );
  const { address } = args;
  await expect(readArguments(["--socket", "/a"], { address }, "xsocket t --help")).rejects.toThrow(
    'there is no option --socket: give the control socket without it, or see "xsocket t --help"',
  );
  await expect(readArguments(["--socket", "/a"], ARGS, "xsocket t --help")).rejects.toThrow(
    'there is no option --socket here (it belongs to xsocket run): see "xsocket t --help"',
  );
  await expect(
    readArguments(["--sockets-per-minut", "5"], args, "xsocket t --help"),
  ).rejects.toThrow(
    'there is no option --sockets-per-minut (did you mean --sockets-per-minute?): see "xsocket t --help"',
  );
});
