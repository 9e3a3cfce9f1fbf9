import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Start } from "../_worker.ts";
import type { Report, ThreadOptions } from "../serving/thread.ts";

/** A serving thread, as the main thread knows it. */
export interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly ready: Promise<void>;
  readonly closed: Promise<string>;
}

/* Turns a worker's events into promises. */
function follow(worker: Worker, port: MessagePort, take: (report: Report) => void): Thread {
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<string>();
  let reason = "it ended";
  worker.on("message", (report: Report) => {
    if (report.kind === "ready") ready.resolve();
    else take(report);
  });
  worker.on("error", (error) => (reason = String(error)));
  worker.on("exit", () => closed.resolve(reason));
  return { worker, port, ready: ready.promise, closed: closed.promise };
}

/**
 * Starts a thread.
 *
 * @param take is called with each of its reports other than "ready"
 */
export function startWorker(
  script: URL,
  options: ThreadOptions,
  take: (report: Report) => void,
): Thread {
  const { port1, port2 } = new MessageChannel();
  const start: Start = { options, port: port2 };
  const worker = new Worker(script, {
    name: `xsocket ${options.index}`,
    workerData: start,
    transferList: [port2],
  });
  return follow(worker, port1, take);
}

/**
 * Waits for a thread that was told to stop, and terminates it if it is late, which takes effect when its current
 * system call returns. Not sooner than needed: to terminate one Bun takes another thread, and ends the process if a
 * limit leaves none.
 */
export async function endWorker({ worker, closed }: Thread, late: Promise<void>): Promise<void> {
  await Promise.race([closed, late]);
  await worker.terminate(); // which does nothing to one that has ended
}
