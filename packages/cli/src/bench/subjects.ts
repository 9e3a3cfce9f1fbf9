import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from "@xsocket/protocol";
import { xsocketSync } from "@xsocket/client";
import { checked, loadSyscalls } from "@xsocket/xbind-native";
import type { Subject } from "./measure.ts";

const WAIT_MS = 5000;
const IN_FLIGHT = 8;
const TYPE = SOCK_STREAM | SOCK_CLOEXEC;

/** How many things are measured. */
export const SUBJECTS = 4;

/** What `xsocket bench` measures, each made when its turn comes, with the words for its row. */
export function* subjects(path: string): Generator<Subject & { readonly title: string }> {
  xsocketSync({ via: path }).close(); // if something is wrong, this says it in a sentence
  const native = loadSyscalls();
  const closed = (call: string, fd: number): void => void native.close(checked(call, fd));
  yield {
    title: "socket(2) of this namespace, to compare",
    batch: 1,
    run: () => closed("socket", native.socket(AF_INET, TYPE, 0)),
  };
  yield {
    title: "xsocket(), a connection for each",
    batch: 1,
    run: () => closed("xsocket", native.handover(path, AF_INET, TYPE, 0, WAIT_MS)),
  };
  for (const batch of [1, IN_FLIGHT]) {
    const connection = checked("connect", native.handoverConnect(path, WAIT_MS));
    const run = (): void => {
      for (let i = 0; i < batch; i++)
        checked("send", native.handoverSend(connection, AF_INET, TYPE, 0));
      for (let i = 0; i < batch; i++)
        closed("receive", native.handoverReceive(connection, AF_INET, TYPE, 0, WAIT_MS));
    };
    const title = `on a kept connection${batch === 1 ? "" : `, ${batch} at a time`}`;
    yield { title, batch, run };
    native.close(connection); // after a failure the process does so, which ends
  }
}
