import { fstatSync, statSync } from "node:fs";
import { AF_INET, SOCK_DGRAM } from "@xsocket/protocol";
import { loadSyscalls, netnsName, SO_NETNS_COOKIE, SOL_SOCKET } from "@xsocket/xbind-native";

/**
 * Which network namespace a socket belongs to, by the number that the kernel gives each; undefined
 * before Linux 5.14, which gives none.
 */
export function cookieOf(fd: number): bigint | undefined {
  const cookie = new BigUint64Array(new ArrayBuffer(8));
  const rc = loadSyscalls().getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, cookie.byteLength);
  return rc < 0 ? undefined : cookie[0];
}

/** The namespace that this process is in; undefined also if this process may not make sockets. */
export function ownCookie(): bigint | undefined {
  const native = loadSyscalls();
  const fd = native.socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return undefined;
  try {
    return cookieOf(fd);
  } finally {
    native.close(fd);
  }
}

function titleOf(inode: bigint): string {
  const name = netnsName(inode);
  return `net:[${inode}]${name === undefined ? "" : ` (${name})`}`;
}

/** A socket's namespace, as "net:[4026532008] (vpn)"; undefined if this user is not told. */
export function namespaceOf(fd: number): string | undefined {
  const native = loadSyscalls();
  const namespaceFd = native.socketNamespace(fd);
  if (namespaceFd < 0) return undefined;
  try {
    return titleOf(fstatSync(namespaceFd, { bigint: true }).ino);
  } finally {
    native.close(namespaceFd);
  }
}

/** The same for the namespace of this process; undefined if the kernel is built without network namespaces. */
export function ownNamespace(): string | undefined {
  const own = statSync("/proc/self/ns/net", { bigint: true, throwIfNoEntry: false });
  return own && titleOf(own.ino);
}
