/*
 * A serving thread whose system calls fail on demand: asked for the protocols below, socket(2)
 * throws, or the next wait for events does.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { loadSyscalls } from "@xsocket/xbind-native";
import type { Start } from "../src/_worker.ts";
import { SharedLock } from "../src/memory/lock.ts";
import { TOTAL } from "../src/memory/memory.ts";
import { Loop } from "../src/serving/loop.ts";
import type { Order, ThreadOptions } from "../src/serving/thread.ts";

/** The protocol that makes serving the connection throw. */
export const THROWS = 6;
/** The protocol that makes the thread die. */
export const DIES = 17;
/** The protocol that makes the thread die while it holds the lock that all threads share. */
export const DIES_LOCKED = 136;

/* As a death in the middle of a locked section leaves it. */
function holdLock({ memory, index }: ThreadOptions): void {
  new SharedLock(new Int32Array(memory.totals), TOTAL.lock, index).acquire();
}

if (parentPort) {
  const { options, port }: Start = workerData;
  const native = loadSyscalls();
  let dies = false;
  let locks = false;
  const failing: typeof native = {
    ...native,
    socket(domain, type, protocol) {
      if (protocol === THROWS) throw new Error("an exception on demand");
      dies = protocol === DIES || protocol === DIES_LOCKED;
      locks = protocol === DIES_LOCKED;
      return native.socket(domain, type, dies ? 0 : protocol);
    },
    epollWait(epoll, pairs, max, waitMs, lookUs) {
      const isLook = waitMs === 0; // in the middle of a turn, where what is thrown ends a connection, not the thread
      if (locks && !isLook) holdLock(options);
      if (dies && !isLook) throw new Error("a death on demand");
      return native.epollWait(epoll, pairs, max, waitMs, lookUs);
    },
  };
  new Loop(failing, options, {
    take(): Order | undefined {
      const received: { message: Order } | undefined = receiveMessageOnPort(port);
      return received?.message;
    },
    send: (report) => parentPort?.postMessage(report),
  }).run();
}
