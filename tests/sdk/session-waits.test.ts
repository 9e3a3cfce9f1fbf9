/* A session whose server is late, full or gone: how long its requests wait, and what becomes of them. */
import { describe, expect, spyOn, test } from "bun:test";
import { connect, listen, Session, xsocketSync } from "@xsocket/client";
import { askStatus } from "@xsocket/server";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { descriptors, startServer } from "../harness/index.ts";
import { PATIENT_MS, rejection } from "./observed.ts";
import { answer, SilentServer } from "./silent.ts";

const native = loadSyscalls();

describe("a session", () => {
  test("gives each request its own deadline and error while the backlog is full, then stops trying", async () => {
    using server = new SilentServer(0);
    const via = server.path;
    const full = [xsocketSync, xsocketSync]; // which fill the backlog
    for (const form of full) expect(() => form({ via, timeoutMs: 1 })).toThrow("ETIMEDOUT");
    const session = new Session({ via });
    using tries = spyOn(native, "handoverConnect");
    const from = performance.now();
    const first = rejection(session.socket({ timeoutMs: 1200, type: "dgram" }));
    await Bun.sleep(1000);
    const second = rejection(session.socket({ timeoutMs: 400 }));
    expect(await first).toMatchObject({ code: "ETIMEDOUT", step: "reach" });
    expect((await first).asked).toContain("dgram");
    expect(await second).toMatchObject({ code: "ETIMEDOUT", step: "reach" });
    expect((await second).asked).toContain("stream");
    expect(performance.now() - from).toBeGreaterThan(1390);
    expect(tries.mock.calls.length).toBeLessThan(100); // every 50 ms but for the first ones
    await Bun.sleep(60); // the last one may have been under way
    tries.mockClear();
    await Bun.sleep(120);
    expect(tries).not.toHaveBeenCalled();
    const third = rejection(session.socket({ timeoutMs: 600_000 }));
    session.close();
    expect((await third).code).toBe("ECANCELED");
  });

  test("returns an answer that has arrived in time, even if the loop sees the timer first", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    const place = { via: session, hostname: "127.0.0.1", socket: { data() {} } };
    using listener = await listen({ ...place, port: 0 });
    using _ = await connect({ ...place, port: listener.port });
    const granted = (): number => askStatus(native, server.path, PATIENT_MS).stats.granted;
    const before = granted();
    const asked = session.socket({ timeoutMs: 50 }); // runs among descriptor events: timers are next
    for (let left = 1000; granted() === before && left > 0; left--) Bun.sleepSync(10); // for at most 10 s
    Bun.sleepSync(100);
    (await asked).close();
  });

  test("that has connected times out in the step ask, not reach", async () => {
    using server = new SilentServer(0);
    const waiting = [native.handoverConnect(server.path, 0)];
    using session = new Session({ via: server.path });
    const reached = rejection(session.socket({ timeoutMs: 1000 }));
    await Bun.sleep(20); // it has found no room
    waiting.push(await server.accept());
    expect(await reached).toMatchObject({ code: "ETIMEDOUT", step: "ask" });
    session.close();
    for (const fd of waiting) native.close(fd);
  });

  test("rejects with ECONNREFUSED if the server ends while its backlog is full", async () => {
    using server = new SilentServer(0);
    using session = new Session({ via: server.path });
    const waiting = native.handoverConnect(server.path, 0);
    const refused = [rejection(session.socket()), rejection(session.socket())];
    await Bun.sleep(5);
    server.end();
    for (const error of await Promise.all(refused))
      expect(error).toMatchObject({ code: "ECONNREFUSED", step: "reach" });
    native.close(waiting);
  });

  test("repeats a lost request once only, and does not treat its connection as idle meanwhile", async () => {
    using server = new SilentServer();
    using session = new Session({ via: server.path, idleMs: 20 });
    const first = rejection(session.socket({ timeoutMs: PATIENT_MS }));
    native.close(await server.accept());
    const connection = await server.accept();
    await Bun.sleep(50); // an idle connection would be closed by now
    const second = rejection(session.socket({ timeoutMs: PATIENT_MS }));
    await Bun.sleep(20);
    expect(server.isCalled()).toBe(false);
    native.close(connection);
    expect((await first).code).toBe("ECONNRESET");
    const again = await server.accept();
    answer(again, errno.EPERM);
    expect((await second).code).toBe("EPERM");
    native.close(again);
  });

  test("sends again after EAGAIN, and gives up if sending also fails on a new connection", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    using connects = spyOn(native, "handoverConnect");
    using sends = spyOn(native, "handoverSend").mockReturnValueOnce(-errno.EAGAIN);
    (await session.socket({ timeoutMs: PATIENT_MS })).close();
    expect([connects.mock.calls.length, sends.mock.calls.length]).toEqual([1, 2]);
    sends.mockReturnValue(-errno.EPERM); // as a filter of system calls
    expect(await rejection(session.socket())).toMatchObject({ code: "EPERM", step: "ask" });
    expect([connects.mock.calls.length, sends.mock.calls.length]).toEqual([2, 4]);
  });

  test.each([0, 100])(
    "sets few timers while it waits for an answer for longer than idleMs (%d ms)",
    async (idleMs) => {
      using server = new SilentServer();
      using session = new Session({ via: server.path, idleMs });
      const waits = rejection(session.socket({ timeoutMs: 600 }));
      using timers = spyOn(globalThis, "setTimeout");
      await waits;
      expect(timers.mock.calls.length).toBeLessThan(10);
    },
  );

  test("makes one connection for all requests that wait for a full backlog, even if the first gives up", async () => {
    await using server = await startServer({ args: ["--backlog", "1"] });
    await server.program.pause();
    const crowd: number[] = [];
    for (let fd = 0; fd >= 0; crowd.push(fd)) fd = native.handoverConnect(server.path, 0);
    using session = new Session({ via: server.path });
    const alone = session.socket({ signal: AbortSignal.timeout(20) });
    await expect(alone).rejects.toMatchObject({ name: "TimeoutError" });
    const before = descriptors().size;
    const givenUp = session.socket({ signal: AbortSignal.timeout(20) });
    const asked = Array.from({ length: 8 }, () => session.socket({ timeoutMs: PATIENT_MS }));
    await expect(givenUp).rejects.toMatchObject({ name: "TimeoutError" });
    server.program.kill("SIGCONT");
    const sockets = await Promise.all(asked);
    expect(descriptors().size).toBe(before + sockets.length + 1);
    for (const socket of sockets) socket.close();
    for (const fd of crowd.slice(0, -1)) native.close(fd);
  });
});
