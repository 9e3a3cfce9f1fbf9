import { AF_INET6, SOCK_DGRAM } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";

const native = loadSyscalls();

/* ::1 exists only while lo has addresses of this family. */
function hasLoopback(): boolean {
  const loopback = new Uint8Array(new ArrayBuffer(28));
  new DataView(loopback.buffer).setUint16(0, AF_INET6, true);
  loopback[23] = 1;
  const fd = native.socket(AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) return false;
  try {
    return native.bind(fd, loopback, loopback.byteLength) === 0;
  } finally {
    native.close(fd);
  }
}

function canMake(): boolean {
  const fd = native.socket(AF_INET6, SOCK_DGRAM, 0);
  return fd >= 0 && native.close(fd) === 0;
}

/** Whether the kernel has IPv6: it may be built or booted without. */
export const knowsIpv6 = canMake();

/** Whether IPv6 works here: many containers turn it off, though not in the namespaces that they make. */
export const hasIpv6 = hasLoopback();
