import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";
import { tempDir } from "../../../tests/harness/index.ts";
import { startRelayed } from "./_relay.ts";
import { OwnedSocket } from "./owned.ts";

test("a relay that cannot start leaves nothing behind, and the socket to its owner", () => {
  const fd = checked("socket", loadSyscalls().socket(AF_INET, SOCK_STREAM, 0));
  using socket = new OwnedSocket(fd, { domain: AF_INET, type: SOCK_STREAM, protocol: 0 });
  using dir = tempDir(); // since other tests make relays at the same time
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = dir.path;
  const made: string[] = [];
  const run = (): never => {
    made.push(...readdirSync(dir.path));
    throw new Error("no room for a path");
  };
  const ip = { family: 4, address: "127.0.0.1", scope: undefined } as const;
  try {
    expect(() => startRelayed({}, run, socket, ip, 80)).toThrow("no room for a path");
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
  expect(made).toEqual([expect.stringContaining("xsocket-relay-")]);
  expect(readdirSync(dir.path)).toEqual([]);
  expect(socket.closed).toBe(false);
});
