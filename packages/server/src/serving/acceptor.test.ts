import { expect, test } from "bun:test";
import { REQUEST_BYTES, SIGNATURE_BYTES } from "@xsocket/protocol";
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
  EPOLLRDHUP,
  errno,
  type Syscalls,
} from "@xsocket/xbind-native";
import { acceptFrom, DESCRIPTORS, PEER, results } from "../../test/acceptor.ts";
import { ACCEPTS } from "./acceptor.ts";

test("counts a connection refused through the spare descriptor", () => {
  const found = acceptFrom(results(-errno.EMFILE, 100));
  expect(found).toMatchObject({ served: [], closed: [100], refused: 1 });
});

test("opens the spare descriptor again later if that fails at once", () => {
  const spares = results(50, -errno.ENFILE, 51, 52); // at the start, when none was left, later
  const accept = results(-errno.ENFILE, 100, -errno.EAGAIN, -errno.ENFILE, 101);
  const { closed } = acceptFrom(accept, { kernel: { eventfd: spares }, times: 3 });
  expect(closed).toEqual([50, 100, 51, 101]);
});

test("takes a new spare descriptor before anything else can take it", () => {
  let made = 0;
  acceptFrom(results(-errno.EMFILE, 100), { kernel: { eventfd: () => 50 + made++ } });
  expect(made).toBe(2);
});

test("accepts a bounded number of connections in a turn", () => {
  let left = 1000; // an endless test cannot fail
  const { refused } = acceptFrom(() => (left-- > 0 ? DESCRIPTORS : -errno.EAGAIN));
  expect(refused).toBe(ACCEPTS);
});

test("continues after ECONNABORTED and EINTR", () => {
  const { refused } = acceptFrom(results(-errno.ECONNABORTED, -errno.EINTR, DESCRIPTORS));
  expect(refused).toBe(1);
});

test("closes finished connections before refusing when no descriptor is left", () => {
  const found = acceptFrom(results(-errno.EMFILE, 100), { makeRoom: () => 1, kernel: PEER });
  expect(found).toMatchObject({ served: [100], closed: [], refused: 0, said: [] });
});

test("pauses after another failure, too, without using the spare descriptor", () => {
  const found = acceptFrom(results(-errno.EINVAL, 100));
  expect(found).toMatchObject({ served: [], closed: [], refused: 0 });
  expect(found.acceptor.isListening).toBe(false);
});

test("logs a lasting failure once, and again after a success", () => {
  const failure = [-errno.EMFILE, -errno.EAGAIN] as const; // the second is for the spare descriptor
  const accept = results(...failure, ...failure, 100, ...failure);
  const { served, said } = acceptFrom(accept, { kernel: PEER, times: 3 });
  expect(served).toEqual([100]);
  const words = "cannot accept connections for now: EMFILE. Raise the limit of open files";
  expect(said).toEqual(Array(2).fill(expect.stringContaining(words)));
});

test("does not listen during a pause, then listens again", () => {
  const clock = { now: 5 };
  const asked: number[][] = [];
  const kernel: Partial<Syscalls> = {
    monotonic: () => clock.now,
    epollCtl: (_, operation, _fd, events) => (asked.push([operation, events]), 0),
  };
  const { acceptor } = acceptFrom(results(-errno.EMFILE), { kernel });
  const looks = [0, 99.5, 10].map((later) => {
    clock.now += later;
    return [acceptor.waitMs(), acceptor.isListening];
  });
  expect(looks).toEqual([
    [100, false],
    [1, false],
    [0, false], // a negative timeout would wait for ever
  ]);
  acceptor.resume();
  expect([acceptor.waitMs(), acceptor.isListening]).toEqual([-1, true]);
  expect(asked).toEqual([
    [EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP],
    [EPOLL_CTL_MOD, 0],
    [EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP],
  ]);
});

test("sends a refusal unless the client has sent something malformed", () => {
  const heard = [REQUEST_BYTES, SIGNATURE_BYTES, -errno.EAGAIN, 7, 0].map((length) => {
    let sent = 0;
    const kernel = { receivePacket: () => length, sendPacket: () => (sent++, 8) };
    acceptFrom(results(DESCRIPTORS), { kernel });
    return sent;
  });
  expect(heard).toEqual([1, 1, 1, 0, 0]);
});

test.each([
  [true, ["left", "shut", "asked", "asked", "given up"]],
  [false, ["left", "asked", "asked"]],
])(
  "finish() accepts waiting clients, and first shuts the listening socket if it owns that (%p)",
  (ownsListener, order) => {
    const steps: string[] = [];
    const step = (what: string) => (steps.push(what), 0);
    const kernel = {
      ...PEER,
      epollCtl: (_: number, operation: number) => (operation === EPOLL_CTL_DEL ? step("left") : 0),
      shutdown: () => step("shut"),
      dupOnto: () => step("given up"),
    };
    const accept = results(100);
    const { acceptor, served } = acceptFrom(() => (step("asked"), accept()), {
      kernel,
      times: 0,
      ownsListener,
    });
    acceptor.finish();
    acceptor.finish();
    expect(served).toEqual([100]);
    expect(steps.join()).toBe(order.join());
  },
);

test("finish() accepts one client more than the backlog", () => {
  const waiting = Array.from({ length: ACCEPTS + 1 }, (_, i) => 100 + i);
  const how = { kernel: PEER, bounds: { backlog: ACCEPTS }, times: 0, ownsListener: false };
  const { acceptor, served } = acceptFrom(results(...waiting), how);
  acceptor.finish();
  expect(served).toEqual(waiting);
});

test("finish() ends though clients come without end to a listening socket that others have too", () => {
  let left = 1000; // an endless test cannot fail
  const how = { bounds: { backlog: ACCEPTS }, times: 0, ownsListener: false };
  const { acceptor } = acceptFrom(() => (left-- > 0 ? DESCRIPTORS : -errno.EAGAIN), how);
  acceptor.finish();
  expect(left).toBe(1000 - 2 * ACCEPTS);
});
