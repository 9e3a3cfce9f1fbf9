import { expect, test } from "bun:test";
import { encode } from "@xsocket/protocol";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { descriptors, leaked } from "../../../../tests/harness/descriptors.ts";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { claimAt } from "../../test/claim.ts";
import { askStatus } from "./ask.ts";

const native = loadSyscalls();

const REFUSAL = encode({ kind: "response", error: errno.EMFILE });

test.each([
  [
    "reads a refusal that the server sent before it closed without reading",
    (fd: number) => native.sendPacket(fd, REFUSAL, REFUSAL.byteLength, -1),
    "EMFILE",
  ],
  [
    "says who is told, where the server reads the question and closes",
    (fd: number) => native.receivePacket(fd, new Uint8Array(16), 16),
    'does not tell its status to this user: ask as root or as its own user, or add a rule of kind "status" to its policy (earlier versions and other implementations tell nobody)',
  ],
])("%s", async (_, act, words) => {
  using dir = tempDir();
  const path = dir.join("control");
  await using claim = claimAt(path);
  const served: typeof native = {
    ...native,
    sendPacket(...question) {
      const sent = native.sendPacket(...question);
      const connection = native.accept(claim.listenFd);
      act(connection);
      native.close(connection);
      return sent;
    },
  };
  expect(() => askStatus(served, path, 1000)).toThrow(words);
});

const refuse = () => -errno.EPERM;

test("names the local call that failed", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using _ = claimAt(path); // connections that nobody takes wait in its backlog
  const deaf = { ...native, receivePacket: refuse, poll: () => 1 };
  expect(() => askStatus(deaf, path, 1000)).toThrow("recvfrom: EPERM");
  const dumb = { ...native, sendPacket: refuse };
  expect(() => askStatus(dumb, path, 1)).toThrow("sendmsg: EPERM");
  const blind = { ...native, poll: refuse };
  expect(() => askStatus(blind, path, 1)).toThrow("poll: EPERM");
});

test("gives up on a silent server and reports a missing one", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  {
    await using _ = claimAt(path);
    const before = descriptors();
    expect(() => askStatus(native, path, 20)).toThrow("poll: ETIMEDOUT");
    expect(leaked(before)).toEqual([]);
  }
  expect(() => askStatus(native, path, 20)).toThrow("connect: ENOENT");
});
