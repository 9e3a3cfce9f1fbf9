import { AF_INET6, SOCK_DGRAM } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";

/* ::1 exists only while lo has addresses of this family. */
function findIpv6(): boolean {
  const native = loadSyscalls();
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

/** Whether IPv6 works here: kernels may be built or booted without it, and many containers turn it off. */
export const hasIpv6 = findIpv6();
