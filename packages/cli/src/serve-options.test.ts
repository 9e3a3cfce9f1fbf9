import { expect, test } from "bun:test";
import { DEFAULT_BOUNDS } from "@xsocket/server";
import { recorded } from "../../../tests/harness/recorded.ts";
import { SERVE_ARGS, type ServeArgs } from "./serve-args.ts";
import { serviceOptions } from "./serve-options.ts";

test("reads every option of serve", () => {
  const read = new Set<string>();
  const given: ServeArgs = {};
  serviceOptions(recorded(given, read));
  expect([...read].toSorted()).toEqual(Object.keys(SERVE_ARGS).toSorted());
});

test("ignores spaces around names and ids", async () => {
  const { policy } = serviceOptions({ "allow-user": "root, 7", "allow-group": " 7 ,root" });
  const { rules } = (typeof policy === "function" ? await policy("/s") : policy) ?? { rules: [] };
  const [root, seven] = [
    { first: 0, last: 0 },
    { first: 7, last: 7 },
  ];
  expect(rules.map(({ uids, gids }) => uids ?? gids)).toEqual([
    [root, seven],
    [seven, root],
  ]);
});

test("has an option for every bound of the server", () => {
  const bounds = Object.values(SERVE_ARGS).flatMap((option) =>
    "bound" in option ? [option.bound] : [],
  );
  expect(Object.keys(DEFAULT_BOUNDS).toSorted()).toEqual(bounds.toSorted());
});

test.each([
  "9101/metrics",
  "127.0.0.1:9101/metrics",
  "[::1]:9101/",
  "http://127.0.0.1:9101/metrics",
])("an address of metrics with a path, %s, is not taken for a file", (word) => {
  expect(() => serviceOptions({ metrics: word })).toThrow(
    "give 127.0.0.1:9101 or [::1]:9101 alone",
  );
});

test("other words with a slash are paths for metrics", () => {
  const path = "/run/a:9101/metrics";
  expect(serviceOptions({ metrics: path }).metrics).toEqual({ kind: "path", path });
  for (const metrics of ["./9101/metrics", "metrics/9101"])
    expect(() => serviceOptions({ metrics })).toThrow("current directory"); // no launcher has passed it
});
