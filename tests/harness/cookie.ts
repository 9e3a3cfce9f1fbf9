import { fstatSync, statSync } from "node:fs";
import { AF_INET, SOCK_DGRAM } from "@xsocket/protocol";
import { checked, loadSyscalls, SO_NETNS_COOKIE, SOL_SOCKET } from "@xsocket/xbind-native";

const native = loadSyscalls();

function readCookie(fd: number): bigint | undefined {
  const cookie = new BigUint64Array(new ArrayBuffer(8));
  const rc = native.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, cookie.byteLength);
  return rc < 0 ? undefined : cookie[0];
}

/* The inode of the namespace, which an ordinary user can read only of their own namespaces. */
function readInode(fd: number): bigint {
  const namespace = checked("ioctl", native.socketNamespace(fd));
  try {
    return fstatSync(namespace, { bigint: true }).ino;
  } finally {
    native.close(namespace);
  }
}

/** Which network namespace a socket belongs to: its cookie, or before Linux 5.14 its inode. */
export function netnsCookie(fd: number): bigint {
  return readCookie(fd) ?? readInode(fd);
}

function lookAtOwn<T>(look: (fd: number) => T): T {
  const fd = checked("socket", native.socket(AF_INET, SOCK_DGRAM, 0));
  try {
    return look(fd);
  } finally {
    native.close(fd);
  }
}

/** Whether the kernel has SO_NETNS_COOKIE: since Linux 5.14. */
export const hasCookies = lookAtOwn(readCookie) !== undefined;

/** The value of {@link netnsCookie} for sockets of this process's namespace. */
export function ownNetnsCookie(): bigint {
  return lookAtOwn(readCookie) ?? statSync("/proc/self/ns/net", { bigint: true }).ino;
}
