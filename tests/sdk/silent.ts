import { xsocketSync } from "@xsocket/client";
import { encodeAddress, parseAddress } from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;

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
  const native = loadSyscalls();
  const socket = xsocketSync({ via });
  const address = Uint8Array.fromHex("020000007f0000010000000000000000");
  const name = new Uint8Array(new ArrayBuffer(16));
  checked("bind", native.bind(socket.fd, Uint8Array.from(address), address.byteLength));
  checked("listen", native.listen(socket.fd, 0));
  checked("getsockname", native.getsockname(socket.fd, name, name.byteLength));
  return {
    port: new DataView(name.buffer).getUint16(2),
    [Symbol.dispose]: () => socket.close(),
  };
}
