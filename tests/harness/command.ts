import { AF_UNIX, SOCK_SEQPACKET } from "@xsocket/protocol";
import { checked, errno, loadSyscalls, SO_PEERPIDFD, SOL_SOCKET } from "@xsocket/xbind-native";

function canSee(): boolean {
  const native = loadSyscalls();
  const fd = checked("socket", native.socket(AF_UNIX, SOCK_SEQPACKET, 0));
  try {
    const none = new Int32Array(new ArrayBuffer(4));
    return native.getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, none, 4) !== -errno.ENOPROTOOPT;
  } finally {
    native.close(fd);
  }
}

const isSeen = canSee();

/** The command name that a server logs for a client: none before Linux 6.5. */
export function seenCommand(name: string): string {
  return isSeen ? name : "?";
}
