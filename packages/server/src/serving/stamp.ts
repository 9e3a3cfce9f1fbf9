import { errno, errnoName } from "@xsocket/xbind-native";
import { COUNTER, FIELD } from "../memory/memory.ts";
import type { Context } from "./thread.ts";

/** Gives sockets their user's ids, so that users cannot share a port by SO_REUSEPORT. */
export class Stamp {
  readonly #context: Context;
  #failed = 0; // the -errno of fchown(2) that was logged last

  constructor(context: Context) {
    this.#context = context;
  }

  /** The ids are those of a connection's peer. */
  put(socket: number, connection: number): void {
    const { sys, shared, options } = this.#context;
    const uid = shared.get(connection, FIELD.uid);
    const gid = shared.get(connection, FIELD.gid);
    if (uid === (options.uid | 0) && gid === (options.gid | 0)) return;
    const isHopeless = this.#failed === -errno.EPERM; // no privilege now is no privilege later
    const rc = isHopeless ? this.#failed : sys.fchown(socket, uid, gid);
    if (rc === 0) return;
    shared.count(options.index, COUNTER.unstamped);
    if (rc === this.#failed) return;
    this.#failed = rc;
    this.#sayUnstamped(-rc, uid >>> 0, gid >>> 0);
  }

  #sayUnstamped(error: number, uid: number, gid: number): void {
    const filter = "let the seccomp filter allow fchown";
    const remedies: Readonly<Record<number, string>> = {
      [errno.EINVAL]: `this user namespace has no uid ${uid} with gid ${gid}: map them, or leave PrivateUsers= out`,
      [errno.EPERM]: `CAP_CHOWN prevents it; if the server has that, ${filter}`,
    };
    const remedy = remedies[error] ?? filter;
    this.#context.say(
      "info",
      "unstamped",
      `sockets keep this server's user id, since fchown gives ${errnoName(error)}: users can share a port by SO_REUSEPORT (${remedy})`,
      { errno: error },
    );
  }
}
