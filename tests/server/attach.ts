/* Sends a packet with many descriptors, which the library cannot: it sends one at most. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { SOL_SOCKET } from "@xsocket/xbind-native";

/** The most descriptors that the kernel takes with one packet (SCM_MAX_FD). */
export const ATTACHED_MAX = 253;

const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/* Offsets in the buffer: struct msghdr is at 0, then come its struct iovec and struct cmsghdr. */
const IOV_AT = 56;
const CONTROL_AT = 72;
const HEADER_BYTES = 16;

const { symbols: libc } = dlopen("libc.so.6", {
  sendmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i64_fast },
});

/** Sends a packet without waiting, with the given number of copies of a descriptor. Returns its length, or -1. */
export function sendAttached(fd: number, packet: Uint8Array, passed: number, count: number) {
  const length = HEADER_BYTES + 4 * count;
  const packetAt = CONTROL_AT + Math.ceil(length / 8) * 8;
  const bytes = new Uint8Array(new ArrayBuffer(packetAt + packet.byteLength));
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  const start = ptr(bytes);
  word(16, start + IOV_AT);
  word(24, 1);
  word(32, start + CONTROL_AT);
  word(40, packetAt - CONTROL_AT);
  word(IOV_AT, start + packetAt);
  word(IOV_AT + 8, packet.byteLength);
  word(CONTROL_AT, length);
  view.setInt32(CONTROL_AT + 8, SOL_SOCKET, true);
  view.setInt32(CONTROL_AT + 12, SCM_RIGHTS, true);
  for (let i = 0; i < count; i++) view.setInt32(CONTROL_AT + HEADER_BYTES + 4 * i, passed, true);
  bytes.set(packet, packetAt);
  return Number(libc.sendmsg(fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
}
