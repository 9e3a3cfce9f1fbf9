import { errno, type Syscalls } from "@xsocket/xbind-native";
import { SO_PEERCRED, SO_PEERGROUPS, SOL_SOCKET } from "./_epoll.ts";
import { FIELD, type Shared } from "./_memory.ts";
import type { Asker } from "./policy/match.ts";

const GROUPS_MAX = 65_536; // the kernel's NGROUPS_MAX

/**
 * The client of the connection at hand, as the kernel recorded it at connect(2).
 *
 * There is one object for each thread, pointed at one connection after another.
 */
export class Peer implements Asker {
  readonly #sys: Syscalls;
  readonly #shared: Shared;
  readonly #credentials = new Int32Array(new ArrayBuffer(12));
  #fd = -1;

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

  /** Turns to another connection. */
  look(fd: number): void {
    this.#fd = fd;
  }

  /** Asks the kernel who a new connection is, and keeps that in its row. */
  read(fd: number): boolean {
    const credentials = this.#credentials;
    if (this.#sys.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, 12) < 0) return false;
    this.#shared.set(fd, FIELD.pid, credentials[0] ?? 0);
    this.#shared.set(fd, FIELD.uid, credentials[1] ?? 0);
    this.#shared.set(fd, FIELD.gid, credentials[2] ?? 0);
    return true;
  }

  /** The supplementary groups: one system call, so only policies that name groups ask. */
  groups(): readonly number[] {
    for (let room = 64; room <= GROUPS_MAX; room *= 4) {
      const ids = new Uint32Array(new ArrayBuffer(room * 4));
      const bytes = this.#sys.getsockopt(this.#fd, SOL_SOCKET, SO_PEERGROUPS, ids, room * 4);
      if (bytes >= 0) return Array.from(ids.subarray(0, bytes / 4));
      if (bytes !== -errno.ERANGE) break;
    }
    return [];
  }
}
