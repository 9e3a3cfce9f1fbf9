import { expect, test } from "bun:test";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { threadOptions } from "../test/options.ts";
import { ACCEPTS, Acceptor } from "./_acceptor.ts";
import { Connections } from "./_connections.ts";
import { Judge } from "./_judge.ts";
import { COUNTER, createMemory, Shared } from "./_memory.ts";
import { Peer } from "./_peer.ts";
import type { Context } from "./_thread.ts";

const DESCRIPTORS = 200;

/** Accepts once on a kernel of our own. */
function acceptFrom(accept: () => number) {
  const closed: number[] = [];
  const said: string[] = [];
  const served: number[] = [];
  const sys = {
    ...loadSyscalls(),
    epollCtl: () => 0,
    accept,
    eventfd: () => -errno.EMFILE,
    receivePacket: () => -errno.EAGAIN,
    sendPacket: () => 8,
    close: (fd: number) => closed.push(fd),
  };
  const memory = createMemory(DESCRIPTORS, 1);
  const shared = new Shared(memory);
  const options = threadOptions(memory, DESCRIPTORS);
  const context: Context = {
    options,
    sys,
    shared,
    epollFd: -1,
    judge: new Judge(options.policy, () => 0),
    say: (_level, _event, message) => void said.push(message),
    logs: () => true,
  };
  const connections = new Connections(context);
  const serve = (fd: number) => void served.push(fd);
  new Acceptor(context, connections, new Peer(sys, shared), () => 0, serve).accept(ACCEPTS);
  return { closed, said, served, refused: shared.sum(COUNTER.refusedConnections) };
}

test("a connection for whose number there is no room is refused, counted and said", () => {
  const waiting = [DESCRIPTORS];
  const found = acceptFrom(() => waiting.shift() ?? -errno.EAGAIN);
  expect(found).toMatchObject({ served: [], closed: [DESCRIPTORS], refused: 1 });
  expect(found.said.join()).toContain(`number ${DESCRIPTORS}`);
});

test("who is taken in by the spare descriptor, to hear that none is left, is counted", () => {
  const waiting = [-errno.EMFILE, 100];
  const found = acceptFrom(() => waiting.shift() ?? -errno.EAGAIN);
  expect(found).toMatchObject({ served: [], closed: [100], refused: 1 });
});

test("who comes again and again to be refused does not keep the others from their turn", () => {
  let left = 1000; // an endless test cannot fail
  const { refused } = acceptFrom(() => (left-- > 0 ? DESCRIPTORS : -errno.EAGAIN));
  expect(refused).toBe(ACCEPTS);
});
