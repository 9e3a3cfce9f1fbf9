import { checked, loadSyscalls, SO_NETNS_COOKIE, SOL_SOCKET } from "@xsocket/xbind-native";

/** Which network namespace a socket belongs to, as the kernel says it. */
export function netnsCookie(fd: number): bigint {
  const cookie = new BigUint64Array(new ArrayBuffer(8));
  const rc = loadSyscalls().getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, cookie.byteLength);
  checked("getsockopt", rc);
  return cookie[0] ?? 0n;
}
