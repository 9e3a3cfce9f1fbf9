import { expect, test } from "bun:test";
import { nearest } from "./nearest.ts";

const KNOWN = ["serve", "run", "port", "socket", "shared-directory", "--version"];

test.each([
  ["rnu", "run"],
  ["sevre", "serve"],
  ["prot", "port"],
  ["sokcet", "socket"],
  ["shared", "shared-directory"],
  ["shared-directoy", "shared-directory"],
  ["se", "serve"],
  ["xyrun", "run"],
  ["sexyrve", "serve"],
  ["sve", "serve"],
  ["sarva", "serve"],
  ["xxxxxd-directory", "shared-directory"],
  ["verison", "--version"],
  ["-vers", "--version"],
  ["--sevre", "serve"],
])("%s is probably %s", (word, meant) => {
  expect(nearest(word, KNOWN)).toBe(meant);
});

test.each(["frobnicate", "x", "s", "", "ab", "--", "sxxxet"])("nothing is near %p", (word) => {
  expect(nearest(word, KNOWN)).toBeUndefined();
});

test("neither is a word of which all is wrong, nor one that is much shorter", () => {
  expect(nearest("zz", ["ab"])).toBeUndefined();
  expect(nearest("xgh", ["abcdefgh"])).toBeUndefined();
});
