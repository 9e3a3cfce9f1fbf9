import { isIPv4, isIPv6 } from "node:net";
import { AF_INET, AF_INET6 } from "@xsocket/protocol";

/** An IP address in text form, with the scope of a link-local one: `fe80::1%eth0`. */
export interface IpAddress {
  readonly family: 4 | 6;
  /** Without the scope. */
  readonly address: string;
  /** An interface's name or index in the target namespace. */
  readonly scope: string | undefined;
}

/** The wildcard address of each IP version. */
export const ANY = {
  4: { family: 4, address: "0.0.0.0", scope: undefined },
  6: { family: 6, address: "::", scope: undefined },
} as const satisfies Record<4 | 6, IpAddress>;

const SOCKADDR_IN_BYTES = 16;
/** The longest `struct sockaddr` of an IP address. */
export const SOCKADDR_IN6_BYTES = 28;
const PORT_AT = 2;
const SCOPE_AT = 24;

/** Strips the brackets that URLs have around an IPv6 address. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/s, "$1");
}

/** Reads an IP address, IPv6 also in brackets; undefined for anything else, such as a host name. */
export function parseIp(text: string): IpAddress | undefined {
  const bare = withoutBrackets(text);
  const [, address = "", scope] = /^([^%]*)(?:%(.*))?$/s.exec(bare) ?? [];
  if (isIPv4(bare)) return { family: 4, address: bare, scope: undefined };
  return isIPv6(address) ? { family: 6, address, scope } : undefined;
}

function groupsOf(part: string | undefined): number[] {
  return part ? part.split(":").map((digits) => Number.parseInt(digits, 16)) : [];
}

/* The URL parser writes every form of an IPv6 address with hexadecimal groups and at most one "::". */
function ipv6Groups(address: string): number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::", 2);
  const [first, last] = [groupsOf(head), groupsOf(tail)];
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

/** Makes the `struct sockaddr` of an address and a port. */
export function sockaddr(ip: IpAddress, port: number, scopeIndex: number): Uint8Array<ArrayBuffer> {
  const bytes = ip.family === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
  const view = new DataView(new ArrayBuffer(bytes));
  view.setUint16(0, ip.family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(PORT_AT, port);
  if (ip.family === 4)
    for (const [i, octet] of ip.address.split(".").entries()) view.setUint8(4 + i, Number(octet));
  else {
    for (const [i, group] of ipv6Groups(ip.address).entries()) view.setUint16(8 + 2 * i, group);
    view.setUint32(SCOPE_AT, scopeIndex, true);
  }
  return new Uint8Array(view.buffer);
}

/** Reads the port of a `struct sockaddr` of either family. */
export function portOf(bytes: Uint8Array<ArrayBuffer>): number {
  return new DataView(bytes.buffer).getUint16(PORT_AT);
}

/** An IP address as people write it, with its scope. */
export function ipText({ address, scope }: IpAddress): string {
  return scope === undefined ? address : `${address}%${scope}`;
}

/** A host and port as people write them: `10.0.0.1:80`, `[::1]:80`. */
export function hostPort(host: string, port: number): string {
  return parseIp(host)?.family === 6 && !host.startsWith("[")
    ? `[${host}]:${port}`
    : `${host}:${port}`;
}
