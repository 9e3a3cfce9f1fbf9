import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from "@xsocket/protocol";
import { xsocketSync } from "@xsocket/client";
import { checked, loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import type { Subject } from "./measure.ts";

const WAIT_MS = 5000;
const IN_FLIGHT = 8;
const TYPE = SOCK_STREAM | SOCK_CLOEXEC;

/** A subject with the words for its row; disposing of it closes what it keeps open. */
interface Titled extends Subject, Disposable {
  readonly title: string;
}

function local(native: Syscalls): Titled {
  return {
    title: "socket(2) of this namespace, to compare",
    batch: 1,
    run: () => void native.close(checked("socket", native.socket(AF_INET, TYPE, 0))),
    [Symbol.dispose]: () => {},
  };
}

function single(native: Syscalls, path: string): Titled {
  return {
    title: "xsocket(), a connection for each",
    batch: 1,
    run: () =>
      void native.close(checked("xsocket", native.handover(path, AF_INET, TYPE, 0, WAIT_MS))),
    [Symbol.dispose]: () => {},
  };
}

function kept(native: Syscalls, path: string, batch: number): Titled {
  const connection = checked("connect", native.handoverConnect(path, WAIT_MS));
  const receive = () =>
    native.close(checked("receive", native.handoverReceive(connection, AF_INET, TYPE, 0, WAIT_MS)));
  return {
    title: batch === 1 ? "on a kept connection" : `on a kept connection, ${batch} at a time`,
    batch,
    run: () => {
      for (let i = 0; i < batch; i++)
        checked("send", native.handoverSend(connection, AF_INET, TYPE, 0));
      for (let i = 0; i < batch; i++) receive();
    },
    [Symbol.dispose]: () => void native.close(connection),
  };
}

/** What `xsocket bench` measures, each made when its turn comes. */
export function subjects(path: string): readonly (() => Titled)[] {
  xsocketSync({ via: path }).close(); // if something is wrong, this says it in a sentence
  const native = loadSyscalls();
  return [
    () => local(native),
    () => single(native, path),
    () => kept(native, path, 1),
    () => kept(native, path, IN_FLIGHT),
  ];
}
