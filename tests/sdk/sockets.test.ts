import { describe, expect, spyOn, test } from "bun:test";
import { closeSync, existsSync, readFileSync } from "node:fs";
import { Session, xsocket, type XSocketOptions, xsocketSync } from "@xsocket/client";
import {
  createNamespace,
  descriptors,
  eventually,
  hasIpv6,
  isContained,
  netnsCookie,
  startServer,
} from "../harness/index.ts";
import { optionOf, rejection } from "./observed.ts";
import { SilentServer } from "./silent.ts";

const STALL_MS = 5; // the longest time that the event loop may stand still
const hasMptcp = existsSync("/proc/sys/net/mptcp"); // kernels may be built without it, as Debian's 5.10 is

describe("one socket", () => {
  test.skipIf(isContained || !hasIpv6)(
    "belongs to the target, closes with its scope, and is released by take()",
    async () => {
      await using target = await createNamespace();
      await using server = await startServer({ place: target });
      const forms = [xsocketSync, xsocket];
      for (const form of forms) {
        let fd = -1;
        {
          using socket = await form({ via: server.path, family: 6, type: "dgram" });
          expect(socket).toMatchObject({ domain: 10, type: 2, protocol: 0, closed: false });
          expect(netnsCookie(socket.fd)).toBe(await target.cookie());
          ({ fd } = socket);
        }
        expect(descriptors().has(fd)).toBe(false);
        const moved = await form({ via: server.path });
        fd = moved.take();
        moved.close();
        expect(moved.closed).toBe(true);
        expect(() => moved.fd).toThrow("EBADF");
        expect(netnsCookie(fd)).toBe(await target.cookie());
        closeSync(fd);
      }
    },
  );

  test.skipIf(!hasIpv6)("has the kind asked for by name or number, and the flags", async () => {
    await using server = await startServer();
    const via = server.path;
    const kinds: [XSocketOptions, number, number, number][] = [
      [{}, 2, 1, 6],
      [{ family: 6, type: "stream" }, 10, 1, 6],
      [{ domain: 10, type: 2, protocol: 17 }, 10, 2, 17],
      [{ type: 1 | 0o4000 }, 2, 1, 6],
    ];
    if (hasMptcp) kinds.push([{ type: "stream", protocol: "mptcp" }, 2, 1, 262]);
    for (const [options, domain, type, protocol] of kinds) {
      using socket = await xsocket({ via, ...options });
      expect([39, 3, 38].map((name) => optionOf(socket.fd, 1, name))).toEqual([
        domain,
        type,
        protocol,
      ]);
      expect(flagsOf(socket.fd)).toContain(options.type === 0o4001 ? "02004002" : "02000002");
    }
    using quick = await xsocket({ via, nonblocking: true });
    expect(flagsOf(quick.fd)).toContain("02004002");
  });

  test("that the policy refuses rejects with EPERM", async () => {
    await using server = await startServer();
    const error = await rejection(xsocket({ via: server.path, domain: 16, type: "raw" }));
    expect(error).toMatchObject({ code: "EPERM", step: "ask", server: server.path });
    expect(error.message).toContain("policy");
  });

  test.skipIf(isContained)("for ping names the sysctl that a new namespace lacks", async () => {
    const policy = '[[rule]]\naction = "allow"\nprotocol = "icmp"\n';
    await using server = await startServer({ place: "own", policy });
    const icmp = xsocket({ via: server.path, type: "dgram", protocol: 1 });
    const error = await rejection(icmp);
    expect(error).toMatchObject({ code: "EACCES", step: "ask" });
    expect(error.remedy).toContain("net.ipv4.ping_group_range");
  });

  test("sets no timer past the range of setTimeout if idleMs is huge", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path, idleMs: 1e300 });
    using timers = spyOn(globalThis, "setTimeout");
    (await session.socket()).close();
    const waits = timers.mock.calls.map(([, ms]) => ms ?? 0);
    expect(Math.max(...waits)).toBeLessThan(2 ** 31);
  });
});

function flagsOf(fd: number): string {
  return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
}

/* Milliseconds that this thread has waited for a processor, as happens on a busy machine. */
function keptWaiting(): number {
  const [, waited] = readFileSync("/proc/self/schedstat", "utf8").split(" "); // in nanoseconds
  return Number(waited) / 1e6;
}

/* The time, less what this thread has waited for a processor. */
function ownTime(): number {
  return performance.now() - keptWaiting();
}

/* The longest time between two turns of the event loop during `work`, less waits for a processor. */
async function longestStall(work: Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = ownTime();
  const look = (): void => {
    const now = ownTime();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const watch = setInterval(look, 0);
  await work.finally(() => clearInterval(watch));
  return longest;
}

describe("a server that does not answer", () => {
  test.each([
    { state: "accepts into its backlog", backlog: 64 },
    { state: "has a full backlog", backlog: 0 },
  ])(
    "and $state gives ETIMEDOUT or the abort's reason, and does not block the event loop",
    async ({ backlog }) => {
      using server = new SilentServer(backlog);
      const via = server.path;
      using session = new Session({ via });
      const limits = { timeoutMs: 200 };
      const attempt = async (): Promise<boolean> => {
        const asked = [1, 2, 3, 4].flatMap(() => [
          xsocket({ via, ...limits }),
          session.socket(limits),
        ]);
        const all = Promise.all(asked.map((one) => rejection(one)));
        const stall = await longestStall(all);
        for (const error of await all) expect(error.code).toBe("ETIMEDOUT");
        return stall < STALL_MS;
      };
      // Others use this machine too, so one quiet run out of some is the proof.
      await eventually(`a run without a stall of ${STALL_MS} ms`, attempt);
      const signal = AbortSignal.timeout(50);
      const asked = await Promise.allSettled([
        xsocket({ via, signal }),
        session.socket({ signal }),
      ]);
      const aborted = { status: "rejected", reason: { name: "TimeoutError" } };
      expect(asked).toMatchObject([aborted, aborted]);
      expect(() => xsocketSync({ via, timeoutMs: 100 })).toThrow("ETIMEDOUT");
    },
  );
});
