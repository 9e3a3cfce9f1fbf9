import { expect, test } from "bun:test";
import { parseRegistrations } from "./epoll.ts";

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
