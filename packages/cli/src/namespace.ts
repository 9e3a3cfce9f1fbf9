import { fstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { AF_INET, SOCK_DGRAM } from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";

const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
/* Where ip-netns(8) keeps the namespaces that have a name. */
const NAMED = "/run/netns";

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

function nameOf(inode: bigint): string {
  try {
    const names = readdirSync(NAMED);
    const name = names.find(
      (entry) => statSync(join(NAMED, entry), { bigint: true }).ino === inode,
    );
    return name === undefined ? "" : ` (${name})`;
  } catch {
    return "";
  }
}

/** A socket's namespace, as "net:[4026532008] (vpn)"; undefined if this user is not told. */
export function namespaceOf(fd: number): string | undefined {
  const native = loadSyscalls();
  const namespaceFd = native.socketNamespace(fd);
  if (namespaceFd < 0) return undefined;
  try {
    const { ino } = fstatSync(namespaceFd, { bigint: true });
    return `net:[${ino}]${nameOf(ino)}`;
  } finally {
    native.close(namespaceFd);
  }
}

/** The same of the namespace of this process. */
export function ownNamespace(): string {
  const link = readlinkSync("/proc/self/ns/net");
  return link + nameOf(BigInt(/\d+/.exec(link)?.[0] ?? 0));
}
