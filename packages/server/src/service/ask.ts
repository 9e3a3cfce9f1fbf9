import { decode, encode, STATUS_BYTES_MAX } from "@xsocket/protocol";
import { checked, errno, POLLIN, type Syscalls } from "@xsocket/xbind-native";
import type { ServerStatus } from "../status.ts";

const BUFFER_BYTES = 2 * STATUS_BYTES_MAX; // more than any status, with its signature

/** The server does not give its status: it knows only version 1, or this user may not have it. */
export class StatusRefusedError extends Error {
  override readonly name = "StatusRefusedError";
}

/**
 * Asks a running server for its status.
 *
 * @param waitMs the longest wait in milliseconds, for the connection and for the answer
 * @throws {SyscallError} if there is no server, it does not answer (ETIMEDOUT), it ends before it has
 *   read the question (ECONNRESET), or it refuses the connection at a bound (EMFILE, ENFILE)
 * @throws {StatusRefusedError} if it closes the connection instead
 * @throws {ProtocolError | SyntaxError} if the answer is malformed
 */
export function askStatus(sys: Syscalls, path: string, waitMs: number): ServerStatus {
  const fd = checked("connect", sys.handoverConnect(path, waitMs));
  try {
    const question = encode({ kind: "status-request" });
    const sent = sys.sendPacket(fd, question, question.byteLength, -1);
    if (sent !== -errno.EPIPE) checked("sendmsg", sent); // a refusal may have arrived
    if (checked("poll", sys.poll(fd, POLLIN, waitMs)) === 0) checked("poll", -errno.ETIMEDOUT);
    return readAnswer(sys, fd, path);
  } finally {
    sys.close(fd);
  }
}

function readAnswer(sys: Syscalls, fd: number, path: string): ServerStatus {
  const buffer = new Uint8Array(new ArrayBuffer(BUFFER_BYTES));
  const receive = () => sys.receivePacket(fd, buffer, buffer.byteLength);
  let length = receive();
  // the server did not read our question; this error comes once, and a refusal may be behind it
  if (length === -errno.ECONNRESET) length = receive() || length;
  const answer = checked("recvfrom", length) > 0 ? decode(buffer.subarray(0, length)) : undefined;
  if (answer?.kind === "response") checked("the server", -answer.error);
  if (answer?.kind !== "status-response")
    throw new StatusRefusedError(
      `the server at ${path} does not tell its status to this user: ask as root or as its own user, or add a rule of kind "status" to its policy (earlier versions and other implementations tell nobody)`,
    );
  return JSON.parse(new TextDecoder().decode(answer.json)); // typed any; the server is of our version or says which
}
