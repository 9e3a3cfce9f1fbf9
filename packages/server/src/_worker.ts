/* A serving thread: it has its options from its start, and leaves its loop only to end. */
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from "node:worker_threads";
import { loadSyscalls } from "@xsocket/xbind-native";
import { type Channel, Loop } from "./serving/loop.ts";
import type { Order, ThreadOptions } from "./serving/thread.ts";

/** What a serving thread is started with. */
export interface Start {
  readonly options: ThreadOptions;
  readonly port: MessagePort;
}

const { options, port }: Start = workerData; // typed any; the one sender is pool/worker.ts

const channel: Channel = {
  take(): Order | undefined {
    const received: { message: Order } | undefined = receiveMessageOnPort(port);
    return received?.message;
  },
  send: (report) => parentPort?.postMessage(report),
};

new Loop(loadSyscalls(), options, channel).run();
