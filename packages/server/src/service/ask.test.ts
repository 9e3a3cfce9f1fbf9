import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "@xsocket/protocol";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { claimAddress } from "../_claim.ts";
import { askStatus } from "./ask.ts";

const native = loadSyscalls();

let directory = "";
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "xsocket-ask-"))));
afterEach(() => rmSync(directory, { recursive: true }));

test("a refusal is heard where the server closes before it has read the question", async () => {
  const path = join(directory, "control");
  const claim = await claimAddress(
    native,
    { kind: "path", path },
    {
      mode: 0o600,
      gid: undefined,
      backlog: 1,
      sharedDirectory: false,
      refuseDescriptors: false,
    },
  );
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
  expect(() => askStatus(refused, path, 1000)).toThrow("EMFILE");
  await claim.release();
  native.close(claim.listenFd);
});
