/* A program of session.test.ts: says whose a session's sockets are, before and after a change of uid. */
import { fstatSync } from "node:fs";
import { Session } from "@xsocket/client";
import { ORDINARY_UID } from "../harness/index.ts";

using session = new Session({ via: process.argv[2] ?? "" });
async function owner(): Promise<number> {
  using socket = await session.socket();
  return fstatSync(socket.fd).uid;
}
const before = await owner();
process.seteuid?.(ORDINARY_UID);
console.log(before, await owner(), await owner());
