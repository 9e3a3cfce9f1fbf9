import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";
import { Deadline, LIMIT_KEYS, type Limits } from "./_deadline.ts";
import { reach, reachSync, receive, receiveLater, send } from "./_handover.ts";
import { askedFor, KIND_KEYS, kindNumbers, type SocketKind } from "./_kind.ts";
import { refuseUnknown } from "./_unknown.ts";
import { failed } from "./error.ts";
import { OwnedSocket } from "./owned.ts";

const KEYS = ["via", ...KIND_KEYS, ...LIMIT_KEYS] as const;

/** What {@link xsocket} takes: the server, the kind of socket, and the limits. */
export interface XSocketOptions extends SocketKind, Limits {
  /** The server's control socket: a path, or `@name`; `/run/xsocket/default` by default. */
  readonly via?: string | undefined;
}

function planOf(options: XSocketOptions) {
  refuseUnknown("get a socket", options, KEYS);
  const kind = kindNumbers(options);
  const { via = DEFAULT_ADDRESS } = options;
  return { kind, deadline: new Deadline(options), via, asked: askedFor(kind) };
}

/**
 * Gets a socket of the network namespace in which the server at `via` runs, on a connection of its
 * own, without holding up the event loop. For many sockets use a {@link Session}.
 *
 * @throws {XSocketError} ENOENT, ECONNREFUSED, EACCES if the server cannot be reached; EPERM and
 *   what socket(2) gives there; ETIMEDOUT after `timeoutMs`; ECONNRESET, EBADMSG; EINVAL for options
 * @throws the reason of `signal` once that is aborted
 * @example
 * using socket = await xsocket({ via: "/run/xsocket/lan", family: 6, type: "dgram" });
 */
export async function xsocket(options: XSocketOptions = {}): Promise<OwnedSocket> {
  const { kind, deadline, via, asked } = planOf(options);
  const connection = await reach(via, deadline, asked);
  try {
    send(connection, kind);
    return new OwnedSocket(await receiveLater(connection, kind, deadline), kind);
  } catch (error) {
    throw failed(error, via, asked, { step: "ask" });
  } finally {
    loadSyscalls().close(connection);
  }
}

/**
 * Like {@link xsocket}, but blocks the thread until the server answers. `signal` is checked only at the start.
 *
 * @throws {XSocketError} as {@link xsocket}
 * @example
 * using socket = xsocketSync({ via: "/run/xsocket/lan", type: "stream" });
 */
export function xsocketSync(options: XSocketOptions = {}): OwnedSocket {
  const { kind, deadline, via, asked } = planOf(options);
  const connection = reachSync(via, deadline.leftMs(), asked);
  try {
    send(connection, kind);
    const fd = receive(connection, kind, Math.max(1, deadline.leftMs()));
    return new OwnedSocket(checked("receive", fd), kind);
  } catch (error) {
    throw failed(error, via, asked, { step: "ask" });
  } finally {
    loadSyscalls().close(connection);
  }
}
