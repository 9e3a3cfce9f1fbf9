import { readdirSync, statSync } from "node:fs";
import { isNetnsName, netnsName, type Syscalls, tried } from "@xsocket/xbind-native";
import type { Bounds } from "./bounds.ts";
import { isInPlace, type SocketFile } from "./control/socket-file.ts";
import { TOTAL } from "./memory/memory.ts";
import type { Shared } from "./memory/shared.ts";
import type { Policy } from "./policy/rule.ts";
import { readStats, type ServerStats } from "./stats.ts";
import manifest from "../package.json" with { type: "json" };

/** What a server says about itself when it is asked. */
export interface ServerStatus {
  readonly version: string;
  readonly bun: string;
  readonly pid: number;
  readonly address: string;
  /** True once its socket file was removed or replaced, so that new clients do not find it there. */
  readonly unreachable: boolean;
  /** The name that its network namespace had when it started (ip-netns(8)), if it has none any more. */
  readonly formerNamespace?: string | undefined;
  readonly uptimeSeconds: number;
  /** Serving threads, as many as were needed so far. */
  readonly threads: number;
  /**
   * Where the rules come from, how many there are, and whether they are outdated, since the last reload could
   * not read the new ones.
   */
  readonly policy: { readonly source: string; readonly rules: number; readonly outdated: boolean };
  readonly descriptors: { readonly open: number; readonly limit: number };
  readonly bounds: Bounds;
  readonly stats: ServerStats;
}

/** What does not change while a server runs. */
export interface About {
  readonly address: string;
  readonly file: SocketFile | undefined;
  /** Its network namespace, if that had a name at the start. */
  readonly namespace: { readonly inode: bigint; readonly name: string } | undefined;
  /** When it started, by the clock that its threads share, in milliseconds. */
  readonly startedAt: number;
}

/* Since Linux 6.2 the directory's size is their number; reading it takes long where there are many. */
function openDescriptors(): number {
  const directory = "/proc/self/fd";
  return tried(() => statSync(directory).size || readdirSync(directory).length) ?? 0;
}

/** Answers whether new clients find the server at its address. */
export function isReachable({ file }: About): boolean {
  return file === undefined || isInPlace(file);
}

/** Says, in the log and in the status for people, that new clients do not find a server at its address. */
export function outOfReach(address: string): string {
  return `new clients do not find this server, since ${address} was removed or replaced: restart it, or the socket unit that made the file`;
}

/** Says, in the same places, that the network namespace of a server is not the one that has its name now. */
export function inFormerNamespace(name: string): string {
  return `the network namespace that this server serves is not the one named ${name} any more, since that was deleted: restart the server if you mean the one that now has the name`;
}

/** The network namespace that this process is in, if it has a name. */
export function ownNamespace(): About["namespace"] {
  const own = statSync("/proc/self/ns/net", { bigint: true, throwIfNoEntry: false });
  const inode = own?.ino ?? 0n; // a kernel may be made without them
  const name = netnsName(inode);
  return name === undefined ? undefined : { inode, name };
}

/*
 * The name that the server's namespace had at the start and has no more; undefined while it has that or
 * another. Deleting a namespace only takes its name away: it lives on while this server is in it, and one that
 * is made under that name later is another namespace.
 */
function formerNamespace({ namespace }: About): string | undefined {
  if (namespace === undefined) return undefined;
  const { inode, name } = namespace;
  // this order, since netnsName() needs a descriptor and finds nothing where none is left
  return isNetnsName(inode, name) || netnsName(inode) !== undefined ? undefined : name;
}

/** Makes the status of a server of this moment. */
export function readStatus(
  sys: Syscalls,
  shared: Shared,
  { about, bounds }: { readonly about: About; readonly bounds: Bounds },
  { source, rules }: Policy,
): ServerStatus {
  return {
    version: manifest.version,
    bun: Bun.version,
    pid: process.pid,
    address: about.address,
    unreachable: !isReachable(about),
    formerNamespace: formerNamespace(about),
    uptimeSeconds: Math.round(sys.monotonic() - about.startedAt) / 1000,
    threads: shared.serving(),
    policy: { source, rules: rules.length, outdated: shared.total(TOTAL.policyOutdated) === 1 },
    descriptors: { open: openDescriptors(), limit: sys.descriptorLimit() },
    bounds,
    stats: readStats(shared),
  };
}
