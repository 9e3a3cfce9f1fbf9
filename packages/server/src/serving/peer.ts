import { SO_PEERCRED, SO_PEERGROUPS, SOL_SOCKET, type Syscalls } from "@xsocket/xbind-native";
import { hasUnmappedIds } from "../_unmapped.ts";
import { FIELD } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";
import { NOBODY } from "../policy/ids.ts";
import type { Asker } from "../policy/match.ts";

/** Names a client in a sentence. One of another PID namespace has no number here, and the kernel says 0. */
export function describePeer(pid: number, uid: number): string {
  return pid === 0
    ? `a process of uid ${uid} in another PID namespace`
    : `process ${pid} of uid ${uid}`;
}

/* The most groups that are looked at: the kernel takes 40 ns for each, and lets a client have 65,536. */
const GROUPS_MAX = 1024;

/**
 * The client of the connection at hand, as the kernel recorded it at connect(2).
 *
 * There is one object for each thread, pointed at one connection after another.
 */
export class Peer implements Asker {
  readonly #sys: Syscalls;
  readonly #shared: Shared;
  readonly #credentials = new Int32Array(new ArrayBuffer(12));
  #ids: Uint32Array | undefined; // made when groups are asked for
  #groups: Uint32Array | undefined;
  #isAsked = false; // for the groups of the connection at hand
  #fd = -1;
  readonly hasUnmappedIds = hasUnmappedIds();

  constructor(sys: Syscalls, shared: Shared) {
    this.#sys = sys;
    this.#shared = shared;
  }

  /** The connection at hand. */
  get fd(): number {
    return this.#fd;
  }

  get pid(): number {
    return this.#shared.get(this.#fd, FIELD.pid);
  }

  get uid(): number {
    return this.#shared.get(this.#fd, FIELD.uid) >>> 0;
  }

  get gid(): number {
    return this.#shared.get(this.#fd, FIELD.gid) >>> 0;
  }

  /** Whether its uid may stand for any user that is unmapped in this user namespace. */
  get isUnmapped(): boolean {
    return this.hasUnmappedIds && this.uid === NOBODY;
  }

  /** Whether it is root, or the user that this server runs as. */
  isTrusted(ownUid: number): boolean {
    const { uid } = this;
    return uid === 0 || (uid === ownUid && !this.isUnmapped);
  }

  /** Makes another connection the one at hand. */
  pointAt(fd: number): void {
    this.#fd = fd;
    this.#isAsked = false;
  }

  /** Asks the kernel who a new connection is, and keeps that in its row. Returns 0, or -errno. */
  read(fd: number): number {
    const credentials = this.#credentials;
    const bytes = this.#sys.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, 12);
    if (bytes < 0) return bytes;
    this.#shared.set(fd, FIELD.pid, credentials[0] ?? 0);
    this.#shared.set(fd, FIELD.uid, credentials[1] ?? 0);
    this.#shared.set(fd, FIELD.gid, credentials[2] ?? 0);
    return 0;
  }

  /**
   * The supplementary groups, undefined if they are too many. One system call, so only policies that
   * name groups ask, and once for a request, however many rules name some.
   */
  groups(): ArrayLike<number> | undefined {
    if (!this.#isAsked) this.#groups = this.#askGroups();
    this.#isAsked = true;
    return this.#groups;
  }

  #askGroups(): Uint32Array | undefined {
    const ids = (this.#ids ??= new Uint32Array(new ArrayBuffer(GROUPS_MAX * 4)));
    const bytes = this.#sys.getsockopt(this.#fd, SOL_SOCKET, SO_PEERGROUPS, ids, ids.byteLength);
    return bytes < 0 ? undefined : ids.subarray(0, bytes / 4).toSorted(); // in a user namespace they may not ascend
  }
}
