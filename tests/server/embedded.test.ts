/* A server within a program that does other things as well. */
import { expect, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { serve } from "@xsocket/server";
import { descriptors, guardDescriptors, tempDir } from "../harness/index.ts";

guardDescriptors();

test("what a start fails for is said, and nothing stays open, whatever cannot be undone", async () => {
  using dir = tempDir();
  const home = dir.join("home");
  mkdirSync(home);
  const before = descriptors();
  const policy = () => {
    renameSync(home, dir.join("elsewhere"));
    writeFileSync(home, ""); // the socket file cannot be looked at any more
    throw new Error("the policy is none");
  };
  await expect(serve({ address: `${home}/control`, policy })).rejects.toThrow("the policy is none");
  expect(descriptors()).toEqual(before);
});
