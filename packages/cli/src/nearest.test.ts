import { expect, test } from "bun:test";
import { nearest } from "./nearest.ts";

const KNOWN = ["serve", "run", "port", "socket", "shared-directory"];

test.each([
  ["rnu", "run"],
  ["sevre", "serve"],
  ["prot", "port"],
  ["sokcet", "socket"],
  ["shared", "shared-directory"],
  ["shared-directoy", "shared-directory"],
])("%s is probably %s", (word, meant) => {
  expect(nearest(word, KNOWN)).toBe(meant);
});

test.each(["frobnicate", "x", "", "ab", "--"])("nothing is near %p", (word) => {
  expect(nearest(word, KNOWN)).toBeUndefined();
});
