import {
  errno,
  SO_PASSRIGHTS,
  SOL_SOCKET,
  SyscallError,
  type Syscalls,
} from "@xsocket/xbind-native";
import { systemError } from "../_failure.ts";
import { ServeError } from "../error.ts";

/**
 * Lets no client of a listening socket attach descriptors: sendmsg(2) gives it EPERM. Connections that
 * were made before are not affected.
 *
 * @throws {ServeError} SYSTEM where the kernel is older than Linux 6.16
 */
export function refuseDescriptorsOf(sys: Syscalls, listenFd: number): void {
  const no = new Int32Array(new ArrayBuffer(4));
  const rc = sys.setsockopt(listenFd, SOL_SOCKET, SO_PASSRIGHTS, no, 4);
  if (rc === 0) return;
  const cause = new SyscallError("setsockopt", -rc);
  if (rc !== -errno.ENOPROTOOPT)
    throw systemError("refuse descriptors", cause, "Let the seccomp filter allow setsockopt");
  throw new ServeError(
    "SYSTEM",
    "this kernel cannot refuse the descriptors of clients (no SO_PASSRIGHTS): use Linux 6.16 or later, or leave --refuse-descriptors out",
    { cause },
  );
}
