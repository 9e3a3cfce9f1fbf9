import { checked, loadSyscalls } from "@xsocket/xbind-native";

const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

/** Which network namespace a socket belongs to, as the kernel says it. */
export function netnsCookie(fd: number): bigint {
  const cookie = new BigUint64Array(new ArrayBuffer(8));
  const rc = loadSyscalls().getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, cookie.byteLength);
  checked("getsockopt", rc);
  return cookie[0] ?? 0n;
}
