import { expect, test } from "bun:test";
import { DEFAULT_BOUNDS } from "@xsocket/server";
import { recorded } from "../../../tests/harness/recorded.ts";
import { SERVE_ARGS, type ServeArgs } from "./serve-args.ts";
import { serviceOptions } from "./serve-options.ts";

test("every option of serve is looked at", () => {
  const read = new Set<string>();
  const given: ServeArgs = {};
  serviceOptions(recorded(given, read));
  expect([...read].toSorted()).toEqual(Object.keys(SERVE_ARGS).toSorted());
});

test("names and ids may have spaces around them", async () => {
  const { policy } = serviceOptions({ "allow-user": "root, 7", "allow-group": " 7 ,root" });
  const { rules } = (typeof policy === "function" ? await policy() : policy) ?? { rules: [] };
  const [root, seven] = [
    { first: 0, last: 0 },
    { first: 7, last: 7 },
  ];
  expect(rules.map(({ uids, gids }) => uids ?? gids)).toEqual([
    [root, seven],
    [seven, root],
  ]);
});

test("every bound of the server has an option", () => {
  const bounds = Object.values(SERVE_ARGS).flatMap((option) =>
    "bound" in option ? [option.bound] : [],
  );
  expect(Object.keys(DEFAULT_BOUNDS).toSorted()).toEqual(bounds.toSorted());
});
