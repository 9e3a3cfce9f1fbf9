import { dlopen, type FFIFunction, FFIType } from "bun:ffi";
import { InstallationError, isEmbedded, libraryPath } from "./libraries.ts";
import { wrongBun } from "./runtime.ts";
import { reasonOf } from "./thrown.ts";

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
 * What handoverReceive returns with waitMs 0 while there is no reply: it is below every -errno. With waitMs 0
 * an -errno is the server's answer, and any other error is returned as NOT_YET - errno.
 */
export const NOT_YET = -4096;

const int = FFIType.i32;
const unsigned = FFIType.u32;
const pointer = FFIType.ptr;
const text = FFIType.cstring;
const long = FFIType.u64;

/* The C types that a parameter of this type may have. */
type Declared<Given> = [Given] extends [string]
  ? typeof text
  : [Given] extends [number]
    ? typeof int | typeof unsigned | typeof long
    : [Given] extends [number | bigint]
      ? typeof long
      : typeof pointer;

/* The C declaration of a function with these parameters. */
interface Signature<Given extends readonly unknown[]> {
  readonly symbol: string;
  readonly args: { [At in keyof Given]: Declared<Given[At]> };
  readonly returns: typeof int | FFIType.f64;
}

const SIGNATURES = {
  socket: { symbol: "xs1_socket", args: [int, int, int], returns: int },
  bind: { symbol: "xs1_bind", args: [int, pointer, unsigned], returns: int },
  listen: { symbol: "xs1_listen", args: [int, int], returns: int },
  connect: { symbol: "xs1_connect", args: [int, pointer, unsigned], returns: int },
  accept: { symbol: "xs1_accept", args: [int], returns: int },
  close: { symbol: "xs1_close", args: [int], returns: int },
  shutdown: { symbol: "xs1_shutdown", args: [int, int], returns: int },
  dupOnto: { symbol: "xs1_dup_onto", args: [int, int], returns: int },
  fchown: { symbol: "xs1_fchown", args: [int, unsigned, unsigned], returns: int },
  flock: { symbol: "xs1_flock", args: [int, int], returns: int },
  umask: { symbol: "xs1_umask", args: [int], returns: int },
  xattr: { symbol: "xs1_xattr", args: [text, text, pointer, unsigned], returns: int },
  getsockname: { symbol: "xs1_getsockname", args: [int, pointer, unsigned], returns: int },
  getsockopt: { symbol: "xs1_getsockopt", args: [int, int, int, pointer, unsigned], returns: int },
  setsockopt: { symbol: "xs1_setsockopt", args: [int, int, int, pointer, unsigned], returns: int },
  socketNamespace: { symbol: "xs1_socket_namespace", args: [int], returns: int },
  sendQueue: { symbol: "xs1_send_queue", args: [int], returns: int },
  letGoOfPages: { symbol: "xs1_let_go_of_pages", args: [long, unsigned], returns: int },
  adopt: { symbol: "xs1_adopt", args: [int], returns: int },
  descriptorLimit: { symbol: "xs1_descriptor_limit", args: [], returns: int },
  monotonic: { symbol: "xs1_monotonic", args: [], returns: FFIType.f64 },
  poll: { symbol: "xs1_poll", args: [int, int, int], returns: int },
  pollMany: { symbol: "xs1_poll_many", args: [pointer, int], returns: int },
  epollCreate: { symbol: "xs1_epoll_create", args: [], returns: int },
  epollCtl: { symbol: "xs1_epoll_ctl", args: [int, int, int, unsigned, long], returns: int },
  interfaceIndex: { symbol: "xs1_interface_index", args: [int, text], returns: int },
  epollWait: { symbol: "xs1_epoll_wait", args: [int, pointer, int, int, int], returns: int },
  eventfd: { symbol: "xs1_eventfd", args: [], returns: int },
  eventfdAdd: { symbol: "xs1_eventfd_add", args: [int], returns: int },
  eventfdTake: { symbol: "xs1_eventfd_take", args: [int], returns: int },
  receivePacket: { symbol: "xs1_receive_packet", args: [int, pointer, unsigned], returns: int },
  dropPackets: { symbol: "xs1_drop_packets", args: [int], returns: int },
  sendPacket: { symbol: "xs1_send_packet", args: [int, pointer, unsigned, int], returns: int },
  tickCreate: { symbol: "xs1_tick_create", args: [], returns: int },
  tickSet: { symbol: "xs1_tick_set", args: [int, int], returns: int },
  tickDelete: { symbol: "xs1_tick_delete", args: [int], returns: int },
  threadRoom: { symbol: "xs1_thread_room", args: [int], returns: int },
  execAs: {
    symbol: "xs1_exec_as",
    args: [int, int, unsigned, unsigned, pointer, unsigned, pointer, unsigned, pointer, unsigned],
    returns: int,
  },
  handover: { symbol: "xs1_handover", args: [text, int, int, int, int], returns: int },
  handoverConnect: { symbol: "xs1_handover_connect", args: [text, int], returns: int },
  handoverSend: { symbol: "xs1_handover_send", args: [int, int, int, int], returns: int },
  handoverReceive: {
    symbol: "xs1_handover_receive",
    args: [int, int, int, int, int],
    returns: int,
  },
} satisfies { [Name in keyof Syscalls]: Signature<Parameters<Syscalls[Name]>> };

/* Why libxsocket.so cannot be loaded. Bun does not say why it has no just-in-time compiler; about a library its
   message has the loader's words. */
function whyNot(path: string, message: string): string {
  if (message.includes("requires the JIT"))
    return "Bun gets no memory for compiled code, which it calls libxsocket.so by: raise the limits of memory (ulimit -v and -d, LimitAS=, LimitDATA=), leave out MemoryDenyWriteExecute= and BUN_JSC_useJIT=0, and under SELinux let the program have execmem (on Debian setsebool -P allow_execmem on)";
  const place = isEmbedded(path)
    ? "that this user may write to TMPDIR, where Bun copies it to, and that this"
    : "that this user may read it, and that its file system";
  return `${path} cannot be loaded (${message.replace(/^.*: /s, "")}): check that it is of this version, processor and C library, ${place} is not mounted noexec`;
}

function load(path: string, wanted: Readonly<Record<string, FFIFunction>>) {
  try {
    return dlopen(path, wanted);
  } catch (error) {
    throw new InstallationError(whyNot(path, reasonOf(error)));
  }
}

function open(): Syscalls {
  const wrong = wrongBun();
  if (wrong !== undefined) throw new InstallationError(wrong);
  const wanted: Record<string, FFIFunction> = {};
  for (const { symbol, ...declared } of Object.values(SIGNATURES)) wanted[symbol] = declared;
  const { symbols } = load(libraryPath("xsocket"), wanted);
  const found: Record<string, unknown> = {};
  for (const [name, { symbol }] of Object.entries(SIGNATURES)) found[name] = symbols[symbol];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- SIGNATURES has each of them
  return found as unknown as Syscalls;
}

let opened: Syscalls | undefined;

/**
 * Loads libxsocket.so, once for each thread.
 *
 * @throws {LibraryNotFoundError} if there is none for this platform
 * @throws {InstallationError} if it cannot be loaded, or Bun is of another series
 */
export function loadSyscalls(): Syscalls {
  opened ??= open();
  return opened;
}
