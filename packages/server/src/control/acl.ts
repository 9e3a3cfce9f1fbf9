import { loadSyscalls, XATTR_ACL } from "@xsocket/xbind-native";

const BYTES_MAX = 65_536; // the longest value of an extended attribute
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const TAG = { user: 2, group: 8, mask: 16 } as const;
const WRITE = 2;

/** A user or group that an access list names. */
interface Named {
  readonly kind: "uid" | "gid";
  readonly id: number;
}

/** Those whom the access list of a file lets write, besides its owner and its group: acl(5). */
export function aclWriters(path: string): Named[] {
  const view = new DataView(new ArrayBuffer(BYTES_MAX));
  const length = loadSyscalls().xattr(path, XATTR_ACL, new Uint8Array(view.buffer), BYTES_MAX);
  const named: Named[] = [];
  let mask: number = WRITE;
  for (let at = HEADER_BYTES; at + ENTRY_BYTES <= length; at += ENTRY_BYTES) {
    const tag = view.getUint16(at, true);
    const bits = view.getUint16(at + 2, true) & WRITE;
    const id = view.getUint32(at + 4, true);
    if (tag === TAG.mask) mask = bits;
    if (bits === 0) continue;
    if (tag === TAG.user) named.push({ kind: "uid", id });
    if (tag === TAG.group) named.push({ kind: "gid", id });
  }
  return mask === 0 ? [] : named;
}
