import { xsocketSync } from "@xsocket/client";
import {
  AF_UNIX,
  encodeAddress,
  parseAddress,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
} from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";
import { bindTo, boundPort } from "../../packages/client/src/_socket.ts";

/** Listens at a path and never accepts or answers: at most `backlog` + 1 clients get that far. */
export function silentServer(path: string, backlog: number): Disposable & { readonly fd: number } {
  const native = loadSyscalls();
  const fd = checked("socket", native.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const address = encodeAddress(parseAddress(path));
  checked("bind", native.bind(fd, address, address.byteLength));
  checked("listen", native.listen(fd, backlog));
  return { fd, [Symbol.dispose]: () => void native.close(fd) };
}

/** A listener of the target at 127.0.0.1 that never accepts: connections past the first get no answer. */
export function deafListener(via: string): Disposable & { readonly port: number } {
  const socket = xsocketSync({ via });
  bindTo(socket.fd, { family: 4, address: "127.0.0.1", scope: undefined }, 0);
  checked("listen", loadSyscalls().listen(socket.fd, 0));
  return { port: boundPort(socket.fd), [Symbol.dispose]: () => socket.close() };
}
