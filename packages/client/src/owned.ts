import { SOCK_TYPE_MASK } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";
import type { KindNumbers } from "./_kind.ts";
import { XSocketError } from "./error.ts";

/**
 * A socket of another network namespace and the duty to close it.
 *
 * @example
 * using socket = await xsocket({ via: "/run/xsocket/lan", type: "dgram" });
 * console.log(socket.fd); // closed at the end of the block
 */
export class OwnedSocket implements Disposable {
  /** The address family that was asked for, for example 2 for AF_INET. */
  readonly domain: number;
  /** The type that was asked for, without flags, for example 1 for SOCK_STREAM. */
  readonly type: number;
  /** The protocol that was asked for; 0 is the usual one of the type. */
  readonly protocol: number;
  #fd: number;

  /** Takes ownership of `fd`. */
  constructor(fd: number, kind: KindNumbers) {
    this.#fd = fd;
    this.domain = kind.domain;
    this.type = kind.type & SOCK_TYPE_MASK;
    this.protocol = kind.protocol;
  }

  /**
   * The descriptor, close-on-exec. It stays this object's: do not close it elsewhere.
   *
   * @throws {XSocketError} EBADF once it was closed or taken
   */
  get fd(): number {
    if (this.#fd < 0)
      throw new XSocketError({ code: "EBADF", step: "options", asked: "use the socket" });
    return this.#fd;
  }

  /** Whether the descriptor is gone: closed here, or taken. */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /**
   * Moves ownership out: the caller closes the descriptor from now on.
   *
   * @throws {XSocketError} EBADF once it was closed or taken
   * @example
   * const fd = (await xsocket({ via: "/run/xsocket/lan", family: 6 })).take();
   */
  take(): number {
    const { fd } = this;
    this.#fd = -1;
    return fd;
  }

  /** Closes the descriptor; does nothing if that is done already. */
  close(): void {
    if (this.#fd < 0) return;
    loadSyscalls().close(this.take());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
