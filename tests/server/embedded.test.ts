/* A server within a program that does other things as well. */
import { expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { xsocket } from "@xsocket/client";
import { serve } from "@xsocket/server";
import { descriptors, guardDescriptors, tempDir } from "../harness/index.ts";

guardDescriptors();

/* Takes the lowest descriptors that are free. */
function takeDescriptors(count: number): Disposable {
  const taken = Array.from({ length: count }, () => openSync("/dev/null", "r"));
  return { [Symbol.dispose]: () => taken.forEach((fd) => closeSync(fd)) };
}

test("a server with few connections serves in a program with many descriptors", async () => {
  using dir = tempDir();
  using _taken = takeDescriptors(1500);
  await using server = await serve({ address: dir.join("control"), maxConnections: 8 });
  using socket = await xsocket({ via: server.address });
  expect(socket.closed).toBe(false);
});

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
