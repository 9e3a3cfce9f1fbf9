import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "@xsocket/protocol";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { type Claim, claimAddress } from "../control/claim.ts";
import { askStatus } from "./ask.ts";

const native = loadSyscalls();

let directory = "";
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "xsocket-ask-"))));
afterEach(() => rmSync(directory, { recursive: true }));

async function listening(): Promise<Claim & { path: string }> {
  const path = join(directory, "control");
  const claim = await claimAddress(
    native,
    { kind: "path", path },
    {
      mode: 0o600,
      gid: undefined,
      backlog: 8, // connections that nobody takes stay in it
      sharedDirectory: false,
      refuseDescriptors: false,
    },
  );
  return { ...claim, path };
}

test("a refusal is heard where the server closes before it has read the question", async () => {
  const claim = await listening();
  const refusal = encode({ kind: "response", error: errno.EMFILE });
  const refused: typeof native = {
    ...native,
    sendPacket(...question) {
      const sent = native.sendPacket(...question);
      const connection = native.accept(claim.listenFd);
      native.sendPacket(connection, refusal, refusal.byteLength, -1);
      native.close(connection);
      return sent;
    },
  };
  expect(() => askStatus(refused, claim.path, 1000)).toThrow("EMFILE");
  await claim.release();
  native.close(claim.listenFd);
});

const refuse = () => -errno.EPERM;

test("a call that is refused here is no word of the server", async () => {
  const claim = await listening();
  const deaf = { ...native, receivePacket: refuse, poll: () => 1 };
  expect(() => askStatus(deaf, claim.path, 1000)).toThrow("recvfrom: EPERM");
  const dumb = { ...native, sendPacket: refuse };
  expect(() => askStatus(dumb, claim.path, 1)).toThrow("sendmsg: EPERM");
  const blind = { ...native, poll: refuse };
  expect(() => askStatus(blind, claim.path, 1)).toThrow("poll: EPERM");
  await claim.release();
  native.close(claim.listenFd);
});

const open = () => readdirSync("/proc/self/fd").length;

test("a server that says nothing is given up, and one that is not there is an error of its own", async () => {
  const claim = await listening();
  const before = open();
  expect(() => askStatus(native, claim.path, 20)).toThrow("poll: ETIMEDOUT");
  expect(open()).toBe(before);
  await claim.release();
  native.close(claim.listenFd);
  expect(() => askStatus(native, claim.path, 20)).toThrow("connect: ENOENT");
});
