import { dlopen, FFIType } from "bun:ffi";
import { reasonOf } from "./errno.ts";
import { libraryPath } from "./libraries.ts";

/**
 * The system calls of libxsocket's private symbol set (private.h says what each does).
 *
 * Each returns a value or `-errno`. Numbers are not checked here: the FFI wraps what does not fit
 * 32 bits, so callers pass checked integers. A buffer that native code writes to must be a view on
 * an `ArrayBuffer` of its own: small typed arrays move, a fresh ArrayBuffer does not.
 */
export interface Syscalls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  accept(fd: number): number;
  close(fd: number): number;
  shutdown(fd: number, how: number): number;
  dupOnto(from: number, to: number): number;
  fchown(fd: number, uid: number, gid: number): number;
  flock(fd: number, operation: number): number;
  umask(mask: number): number;
  xattr(path: string, name: string, value: Uint8Array | null, length: number): number;
  geteuid(): number;
  getsockname(fd: number, address: Uint8Array, length: number): number;
  getsockopt(
    fd: number,
    level: number,
    name: number,
    value: NodeJS.TypedArray,
    length: number,
  ): number;
  setsockopt(
    fd: number,
    level: number,
    name: number,
    value: NodeJS.TypedArray,
    length: number,
  ): number;
  sendQueue(fd: number): number;
  socketNamespace(fd: number): number;
  letGoOfPages(start: number, length: number): number;
  adopt(fd: number): number;
  descriptorLimit(): number;
  monotonic(): number;
  poll(fd: number, events: number, waitMs: number): number;
  pollMany(pairs: Int32Array, count: number): number;
  epollCreate(): number;
  epollCtl(
    epollFd: number,
    operation: number,
    fd: number,
    events: number,
    data: number | bigint,
  ): number;
  interfaceIndex(fd: number, name: string): number;
  epollWait(
    epollFd: number,
    pairs: Uint32Array,
    max: number,
    waitMs: number,
    lookUs: number,
  ): number;
  eventfd(): number;
  eventfdAdd(fd: number): number;
  eventfdTake(fd: number): number;
  receivePacket(fd: number, buffer: Uint8Array, length: number): number;
  dropPackets(fd: number): number;
  sendPacket(fd: number, buffer: Uint8Array, length: number, passedFd: number): number;
  tickCreate(): number;
  tickSet(timer: number, intervalMs: number): number;
  tickDelete(timer: number): number;
  threadRoom(count: number): number;
  execAs(
    listenFd: number,
    cwdFd: number,
    uid: number,
    gid: number,
    groups: Uint32Array,
    groupCount: number,
    argv: Uint8Array,
    argvLength: number,
    env: Uint8Array,
    envLength: number,
  ): number;
  handover(path: string, domain: number, type: number, protocol: number, waitMs: number): number;
  handoverConnect(path: string, waitMs: number): number;
  handoverSend(connection: number, domain: number, type: number, protocol: number): number;
  handoverReceive(
    connection: number,
    domain: number,
    type: number,
    protocol: number,
    waitMs: number,
  ): number;
}

/**
 * What handoverReceive gives when it is not to wait and there is no reply yet: no errno. Every error
 * that is not the server's is then added to it.
 */
export const NOT_YET = -4096;

const int = FFIType.i32;
const unsigned = FFIType.u32;
const pointer = FFIType.ptr;
const text = FFIType.cstring;
const long = FFIType.u64;

const SYMBOLS = {
  xs1_socket: { args: [int, int, int], returns: int },
  xs1_bind: { args: [int, pointer, unsigned], returns: int },
  xs1_listen: { args: [int, int], returns: int },
  xs1_connect: { args: [int, pointer, unsigned], returns: int },
  xs1_accept: { args: [int], returns: int },
  xs1_close: { args: [int], returns: int },
  xs1_shutdown: { args: [int, int], returns: int },
  xs1_dup_onto: { args: [int, int], returns: int },
  xs1_fchown: { args: [int, unsigned, unsigned], returns: int },
  xs1_flock: { args: [int, int], returns: int },
  xs1_umask: { args: [int], returns: int },
  xs1_xattr: { args: [text, text, pointer, unsigned], returns: int },
  xs1_geteuid: { args: [], returns: unsigned },
  xs1_getsockname: { args: [int, pointer, unsigned], returns: int },
  xs1_getsockopt: { args: [int, int, int, pointer, unsigned], returns: int },
  xs1_setsockopt: { args: [int, int, int, pointer, unsigned], returns: int },
  xs1_socket_namespace: { args: [int], returns: int },
  xs1_send_queue: { args: [int], returns: int },
  xs1_let_go_of_pages: { args: [long, unsigned], returns: int },
  xs1_adopt: { args: [int], returns: int },
  xs1_descriptor_limit: { args: [], returns: int },
  xs1_monotonic: { args: [], returns: FFIType.f64 },
  xs1_poll: { args: [int, int, int], returns: int },
  xs1_poll_many: { args: [pointer, int], returns: int },
  xs1_epoll_create: { args: [], returns: int },
  xs1_epoll_ctl: { args: [int, int, int, unsigned, long], returns: int },
  xs1_interface_index: { args: [int, text], returns: int },
  xs1_epoll_wait: { args: [int, pointer, int, int, int], returns: int },
  xs1_eventfd: { args: [], returns: int },
  xs1_eventfd_add: { args: [int], returns: int },
  xs1_eventfd_take: { args: [int], returns: int },
  xs1_receive_packet: { args: [int, pointer, unsigned], returns: int },
  xs1_drop_packets: { args: [int], returns: int },
  xs1_send_packet: { args: [int, pointer, unsigned, int], returns: int },
  xs1_tick_create: { args: [], returns: int },
  xs1_tick_set: { args: [int, int], returns: int },
  xs1_tick_delete: { args: [int], returns: int },
  xs1_thread_room: { args: [int], returns: int },
  xs1_exec_as: {
    args: [int, int, unsigned, unsigned, pointer, unsigned, pointer, unsigned, pointer, unsigned],
    returns: int,
  },
  xs1_handover: { args: [text, int, int, int, int], returns: int },
  xs1_handover_connect: { args: [text, int], returns: int },
  xs1_handover_send: { args: [int, int, int, int], returns: int },
  xs1_handover_receive: { args: [int, int, int, int, int], returns: int },
} as const;

/* Bun says only that it has no just-in-time compiler, and not why; of a library the loader's words. */
function whyNot(path: string, message: string): string {
  return message.includes("requires the JIT")
    ? "Bun gets no memory for compiled code, which it calls libxsocket.so by: raise the limits of memory (ulimit -v and -d, LimitAS=, LimitDATA=), and leave out MemoryDenyWriteExecute= and BUN_JSC_useJIT=0"
    : `${path} cannot be loaded (${message.replace(/^.*: /s, "")}): see that it is of this version, that this user may read it, and that its file system is not mounted noexec`;
}

function load(path: string) {
  try {
    return dlopen(path, SYMBOLS);
  } catch (error) {
    throw new Error(whyNot(path, reasonOf(error)), { cause: error });
  }
}

function open(): Syscalls {
  const { symbols: native } = load(libraryPath("xsocket"));
  return {
    socket: native.xs1_socket,
    bind: native.xs1_bind,
    listen: native.xs1_listen,
    connect: native.xs1_connect,
    accept: native.xs1_accept,
    close: native.xs1_close,
    shutdown: native.xs1_shutdown,
    dupOnto: native.xs1_dup_onto,
    fchown: native.xs1_fchown,
    flock: native.xs1_flock,
    umask: native.xs1_umask,
    xattr: native.xs1_xattr,
    geteuid: native.xs1_geteuid,
    getsockname: native.xs1_getsockname,
    getsockopt: native.xs1_getsockopt,
    setsockopt: native.xs1_setsockopt,
    socketNamespace: native.xs1_socket_namespace,
    sendQueue: native.xs1_send_queue,
    letGoOfPages: native.xs1_let_go_of_pages,
    adopt: native.xs1_adopt,
    descriptorLimit: native.xs1_descriptor_limit,
    monotonic: native.xs1_monotonic,
    poll: native.xs1_poll,
    pollMany: native.xs1_poll_many,
    epollCreate: native.xs1_epoll_create,
    epollCtl: native.xs1_epoll_ctl,
    interfaceIndex: native.xs1_interface_index,
    epollWait: native.xs1_epoll_wait,
    eventfd: native.xs1_eventfd,
    eventfdAdd: native.xs1_eventfd_add,
    eventfdTake: native.xs1_eventfd_take,
    receivePacket: native.xs1_receive_packet,
    dropPackets: native.xs1_drop_packets,
    sendPacket: native.xs1_send_packet,
    tickCreate: native.xs1_tick_create,
    tickSet: native.xs1_tick_set,
    tickDelete: native.xs1_tick_delete,
    threadRoom: native.xs1_thread_room,
    execAs: native.xs1_exec_as,
    handover: native.xs1_handover,
    handoverConnect: native.xs1_handover_connect,
    handoverSend: native.xs1_handover_send,
    handoverReceive: native.xs1_handover_receive,
  };
}

let opened: Syscalls | undefined;

/**
 * Loads libxsocket.so, once for each thread.
 *
 * @throws {LibraryNotFoundError} if there is none for this platform
 */
export function loadSyscalls(): Syscalls {
  opened ??= open();
  return opened;
}
