/*
 * A program of session.test.ts: prints the owner of a session's sockets before and after a change of
 * uid, and the errors of requests to a silent server, sent before and after it, when their session is closed.
 */
import { fstatSync } from "node:fs";
import { Session } from "@xsocket/client";
import { socketsOf } from "../harness/descriptors.ts";
import { ORDINARY_UID } from "../harness/index.ts";

const [, , via = "", silent = ""] = process.argv;
using session = new Session({ via });
using unanswered = new Session({ via: silent });
async function owner(): Promise<number> {
  using socket = await session.socket();
  return fstatSync(socket.fd).uid;
}
function end(): Promise<unknown> {
  return unanswered.socket({ timeoutMs: Infinity }).catch(({ code }) => code);
}

const before = await owner();
const ends = [end()];
const open = socketsOf(process.pid);
process.seteuid?.(ORDINARY_UID);
console.log(before, await owner(), await owner());
if (socketsOf(process.pid) !== open) console.log("the connection of before is left");
ends.push(end());
unanswered.close();
console.log(...(await Promise.all(ends)));
