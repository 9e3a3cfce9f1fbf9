import {
  AF_UNIX,
  encodeAddress,
  parseAddress,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
} from "@xsocket/protocol";
import { checked, errno, loadSyscalls, SOL_SOCKET } from "@xsocket/xbind-native";

const native = loadSyscalls();

/** A UNIX socket of this process at a path or `@name`. The caller closes it. */
export function boundAt(address: string, type: number = SOCK_SEQPACKET): number {
  const fd = checked("socket", native.socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const bytes = encodeAddress(parseAddress(address));
  checked("bind", native.bind(fd, bytes, bytes.byteLength));
  return fd;
}

/** Leaves a socket file behind, as a killed server does. */
export function leaveStale(path: string, type?: number): void {
  native.close(boundAt(path, type));
}

/** Whether the kernel knows an option of UNIX sockets. */
export function knowsOption(name: number): boolean {
  const fd = checked("socket", native.socket(AF_UNIX, SOCK_SEQPACKET, 0));
  try {
    const none = new Int32Array(new ArrayBuffer(4));
    return native.getsockopt(fd, SOL_SOCKET, name, none, 4) !== -errno.ENOPROTOOPT;
  } finally {
    native.close(fd);
  }
}
