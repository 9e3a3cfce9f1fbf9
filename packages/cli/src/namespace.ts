import { AF_INET, SOCK_DGRAM } from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";

const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

/** Which network namespace a socket belongs to, by the number that the kernel gives each. */
export function cookieOf(fd: number): bigint {
  const cookie = new BigUint64Array(new ArrayBuffer(8));
  const rc = loadSyscalls().getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, cookie.byteLength);
  checked("getsockopt(SO_NETNS_COOKIE)", rc);
  return cookie[0] ?? 0n;
}

/** The namespace that this process is in. */
export function ownCookie(): bigint {
  const native = loadSyscalls();
  const fd = checked("socket", native.socket(AF_INET, SOCK_DGRAM, 0));
  try {
    return cookieOf(fd);
  } finally {
    native.close(fd);
  }
}
