import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";
import { startRelayed } from "./_relay.ts";
import { OwnedSocket } from "./owned.ts";

function relays(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("xsocket-relay-"));
}

function run(): never {
  throw new Error("no room for a path");
}

test("a relay that cannot start leaves nothing behind, and the socket to its owner", () => {
  const fd = checked("socket", loadSyscalls().socket(AF_INET, SOCK_STREAM, 0));
  using socket = new OwnedSocket(fd, { domain: AF_INET, type: SOCK_STREAM, protocol: 0 });
  const before = relays();
  const ip = { family: 4, address: "127.0.0.1", scope: undefined } as const;
  expect(() => startRelayed({}, run, socket, ip, 80)).toThrow("no room for a path");
  expect(relays()).toEqual(before);
  expect(socket.closed).toBe(false);
});
