import { expect, test } from "bun:test";
import { nearest } from "./nearest.ts";

const KNOWN = ["serve", "run", "--port", "socket", "shared-directory", "--version"];

test.each([
  ["rnu", "run"],
  ["sevre", "serve"],
  ["prot", "--port"],
  ["sokcet", "socket"],
  ["shared", "shared-directory"],
  ["shared-directoy", "shared-directory"],
  ["se", "serve"],
  ["s", "serve"],
  ["-p", "--port"],
  ["xyrun", "run"],
  ["sexyrve", "serve"],
  ["sve", "serve"],
  ["sarva", "serve"],
  ["xxxxxd-directory", "shared-directory"],
  ["verison", "--version"],
  ["-vers", "--version"],
  ["--sevre", "serve"],
])("%s suggests %s", (word, meant) => {
  expect(nearest(word, KNOWN)).toBe(meant);
});

test.each(["frobnicate", "x", "-r", "", "ab", "--", "sxxxet"])(
  "suggests nothing for %p",
  (word) => {
    expect(nearest(word, KNOWN)).toBeUndefined();
  },
);

test("suggests nothing for a word that shares no letter or is much shorter", () => {
  expect(nearest("zz", ["ab"])).toBeUndefined();
  expect(nearest("xgh", ["abcdefgh"])).toBeUndefined();
});
