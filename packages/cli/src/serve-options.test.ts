import { expect, test } from "bun:test";
import { DEFAULT_BOUNDS } from "@xsocket/server";
import { recorded } from "../../../tests/harness/recorded.ts";
import { BOUND_OPTIONS, SERVE_ARGS, type ServeArgs } from "./serve-args.ts";
import { serviceOptions } from "./serve-options.ts";

test("every option of serve is looked at", () => {
  const read = new Set<string>();
  const given: ServeArgs = {};
  serviceOptions(recorded(given, read));
  expect([...read].toSorted()).toEqual(Object.keys(SERVE_ARGS).toSorted());
});

test("every bound of the server has an option", () => {
  expect(Object.keys(DEFAULT_BOUNDS).toSorted()).toEqual(Object.values(BOUND_OPTIONS).toSorted());
});
