import { expect, test } from "bun:test";
import { parseRegistrations, startMoved } from "./_move.ts";
import { checked, loadSyscalls } from "@xsocket/xbind-native";

const FDINFO = `pos:	0
flags:	02000002
tfd:        4 events: 80000019 data:      484a5fa0600  pos:0 ino:1 sdev:e
tfd:        5 events:       19 data: ffffffffffffffff  pos:0 ino:2 sdev:8
`;

test("the members of an epoll set are read from its fdinfo", () => {
  expect(parseRegistrations(3, FDINFO)).toEqual([
    { epollFd: 3, fd: 4, events: 0x80000019, data: 0x484a5fa0600n },
    { epollFd: 3, fd: 5, events: 0x19, data: 2n ** 64n - 1n },
  ]);
  expect(parseRegistrations(3, "pos:	0\n")).toEqual([]);
});

test("a server that does not listen where it should is not moved, and ends", async () => {
  const native = loadSyscalls();
  const fd = checked("socket", native.socket(2, 1, 0));
  let stopped = false;
  const started = (): Bun.Server<undefined> => {
    const server = Bun.serve({ hostname: "127.0.0.2", port: 0, fetch: () => new Response() });
    const stop = server.stop.bind(server);
    return Object.assign(server, { stop: (now?: boolean) => ((stopped = true), stop(now)) });
  };
  expect(startMoved(started, fd)).toBeUndefined();
  expect(stopped).toBe(true);
  native.close(fd);
});
