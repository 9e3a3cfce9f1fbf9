import { errno, type Syscalls } from "@xsocket/xbind-native";
import type { Bounds } from "../src/bounds.ts";
import { COUNTER, createMemory, STATE, THREAD } from "../src/memory/memory.ts";
import { ACCEPTS, Acceptor } from "../src/serving/acceptor.ts";
import { Connections } from "../src/serving/connections.ts";
import { Peer } from "../src/serving/peer.ts";
import { openIdle, threadContext, threadOptions } from "./thread.ts";

export const DESCRIPTORS = 200;
/** Names whoever connects as uid 0. */
export const PEER = { getsockopt: () => 12 };

interface How {
  readonly kernel?: Partial<Syscalls>;
  /** Closes finished connections when room is needed, and returns their number. */
  readonly makeRoom?: (connections: Connections, served: number[]) => number;
  readonly bounds?: Partial<Bounds>;
  /** Makes a connection idle once it is served, instead of busy. */
  readonly idle?: boolean;
  /** The number of times that the listening socket is ready. */
  readonly times?: number;
  readonly ownsListener?: boolean;
  /** Idle connections of another thread. */
  readonly elsewhere?: readonly number[];
}

/** Accepts on a kernel of our own. */
export function acceptFrom(accept: () => number, how: How = {}) {
  const {
    kernel,
    makeRoom = () => 0,
    bounds = {},
    idle = false,
    times = 1,
    ownsListener = true,
    elsewhere = [],
  } = how;
  const closed: number[] = [];
  const said: string[] = [];
  const served: number[] = [];
  const memory = createMemory(DESCRIPTORS, 2);
  const usual = threadOptions(memory, DESCRIPTORS);
  const options = { ...usual, bounds: { ...usual.bounds, ...bounds }, ownsListener };
  const context = {
    ...threadContext(options, {
      accept,
      eventfd: () => -errno.EMFILE,
      receivePacket: () => -errno.EAGAIN,
      sendPacket: () => 8,
      close: (fd: number) => closed.push(fd),
      ...kernel,
    }),
    say: (_level: string, _event: string, message: string) => void said.push(message),
  };
  const { sys, shared } = context;
  const connections = new Connections(context);
  if (elsewhere.length > 0) for (const thread of [0, 1]) shared.setThread(thread, THREAD.serves, 1);
  const beside = new Connections({ ...context, options: { ...options, index: 1 } });
  for (const fd of elsewhere) openIdle(beside, fd);
  const acceptor = new Acceptor(context, connections, new Peer(sys, shared), {
    first(fd) {
      served.push(fd);
      if (idle) connections.release(fd, STATE.idle);
    },
    makeRoom: () => makeRoom(connections, served),
  });
  for (let i = 0; i < times; i++) acceptor.accept(ACCEPTS);
  const refused = shared.sum(COUNTER.refusedConnections);
  const evicted = shared.sum(COUNTER.evicted);
  return { acceptor, closed, said, served, refused, evicted, connections: shared.connections() };
}

/** Results of accept(2) in turn, then EAGAIN. */
export function results(...list: number[]): () => number {
  return () => list.shift() ?? -errno.EAGAIN;
}
