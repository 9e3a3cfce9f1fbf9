/* Many sockets over one connection. */
import { describe, expect, spyOn, test } from "bun:test";
import { getEventListeners } from "node:events";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import {
  connect,
  fetchVia,
  listen,
  Session,
  type SocketKind,
  udp,
  xsocket,
  type XSocketError,
  xsocketSync,
} from "@xsocket/client";
import { encode, RESPONSE_BYTES } from "@xsocket/protocol";
import { checked, errno, errnoName, loadSyscalls, POLLHUP, POLLIN } from "@xsocket/xbind-native";
import {
  createNamespace,
  descriptors,
  eventually,
  guardDescriptors,
  hasIpv6,
  here,
  isContained,
  isRoot,
  leaked,
  netnsCookie,
  ORDINARY_UID,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { optionOf, rejection } from "./observed.ts";
import { silentServer } from "./silent.ts";

guardDescriptors();

const PATIENT_MS = 30_000; // many requests take turns, each of which may wait for a processor
const MANY = 10_000;

describe("a session", () => {
  test.skipIf(isContained || !hasIpv6)(
    "gives each of many concurrent requests the kind of socket that it asked for",
    async () => {
      await using target = await createNamespace();
      await using server = await startServer({ place: target });
      using session = new Session({ via: server.path });
      const ask: SocketKind[] = [
        { family: 4, type: "stream" },
        { family: 4, type: "dgram" },
        { family: 6, type: "stream" },
        { family: 6, type: "dgram" },
      ];
      const all = Array.from({ length: 100 }, (__, i) =>
        session.socket({ ...ask[i % 4], timeoutMs: PATIENT_MS }),
      );
      for (const [i, socket] of (await Promise.all(all)).entries()) {
        expect(optionOf(socket.fd, 1, 39)).toBe(ask[i % 4]?.family === 6 ? 10 : 2);
        expect(optionOf(socket.fd, 1, 3)).toBe(ask[i % 4]?.type === "dgram" ? 2 : 1);
        expect(netnsCookie(socket.fd)).toBe(await target.cookie());
        socket.close();
      }
    },
  );

  test(`opens and closes ${MANY} sockets over one connection`, async () => {
    await using server = await startServer();
    const atRest = descriptors().size;
    using session = new Session({ via: server.path });
    let left = MANY;
    const takeTurns = async (): Promise<void> => {
      while (left-- > 0) (await session.socket()).close();
    };
    await Promise.all([takeTurns(), takeTurns(), takeTurns(), takeTurns()]);
    // the session's connection is one more; Bun may have closed some of its own
    await eventually("the sockets to be closed", () => descriptors().size <= atRest + 1);
    for (let i = 0; i < 500; i++) (await xsocket({ via: server.path })).close();
  });

  test.skipIf(!hasIpv6)("answers other requests after one is aborted", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    for (let round = 0; round < 50; round++) {
      const controller = new AbortController();
      const given = session.socket({ signal: controller.signal });
      const kept = session.socket({ family: 6 });
      controller.abort();
      await expect(given).rejects.toMatchObject({ name: "AbortError" });
      using socket = await kept;
      expect(optionOf(socket.fd, 1, 39)).toBe(10);
    }
  });

  test("answers other requests while many are aborted at once", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    for (let round = 0; round < 5; round++) {
      const controllers = Array.from({ length: 200 }, () => new AbortController());
      const all = controllers.map(({ signal }) => session.socket({ signal }));
      const kept = Array.from({ length: 20 }, () => session.socket({ timeoutMs: PATIENT_MS }));
      setTimeout(() => controllers.forEach((controller) => controller.abort()), round);
      for (const one of await Promise.allSettled(all)) {
        if (one.status === "fulfilled") one.value.close();
        else expect(one.reason).toMatchObject({ name: "AbortError" });
      }
      for (const socket of await Promise.all(kept)) socket.close();
    }
  });

  test("closes its connection when all unanswered requests are aborted", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    using session = new Session({ via });
    const native = loadSyscalls();
    for (const answers of [0, 1]) {
      const controller = new AbortController();
      const answered = Array.from({ length: answers }, () => rejection(session.socket()));
      const given = session.socket({ signal: controller.signal });
      const connection = checked("accept", native.accept(server.fd));
      controller.abort();
      await expect(given).rejects.toMatchObject({ name: "AbortError" });
      const refusal = encode({ kind: "response", error: errno.EPERM });
      for (const refused of answered) {
        native.sendPacket(connection, refusal, RESPONSE_BYTES, -1);
        expect((await refused).code).toBe("EPERM");
      }
      const isClosed = () => (native.poll(connection, 0, 0) & POLLHUP) !== 0;
      await eventually("the connection to be closed", isClosed);
      native.close(connection);
    }
  });

  test("closes its connection when it is garbage-collected", async () => {
    await using server = await startServer();
    const before = descriptors();
    const make = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) (await new Session({ via: server.path }).socket()).close();
    };
    await make();
    expect(leaked(before).length).toBeGreaterThan(0);
    await eventually("the connections to be closed", () => {
      Bun.gc(true);
      return leaked(before).length === 0;
    });
  });

  test("reconnects after a restart of the server, even one that was killed during requests", async () => {
    using dir = tempDir();
    const path = dir.join("control");
    using session = new Session({ via: path });
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await using server = await startServer({ path });
      (await session.socket()).close();
      const underWay = Array.from({ length: 64 }, () => session.socket());
      server.program.kill(signal);
      for (const one of await Promise.allSettled(underWay)) {
        if (one.status === "fulfilled") one.value.close();
        else expect(one.reason.code).toMatch(/^(ECONNREFUSED|ECONNRESET|ENOENT)$/);
      }
      await server.program.exited;
    }
    await using server = await startServer({ path });
    (await session.socket()).close();
    await server.stop();
    await using again = await startServer({ path });
    using socket = await session.socket();
    expect(socket.fd).toBeGreaterThan(2);
    expect(again.program.stderr).not.toContain("rror");
  });

  test("rejects pending and later requests with ECANCELED when it is closed", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using _ = silentServer(via, 8);
    const session = new Session({ via });
    const underWay = [1, 2, 3].map(() => rejection(session.socket()));
    session.close();
    const asked = "get an IPv4 stream socket";
    for (const error of await Promise.all(underWay))
      expect(error).toMatchObject({ code: "ECANCELED", asked });
    expect((await rejection(session.socket())).code).toBe("ECANCELED");
  });

  test("gives each request its own deadline and error while the backlog is full, then stops trying", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using _ = silentServer(via, 0);
    const full = [xsocketSync, xsocketSync]; // which fill the backlog
    for (const form of full) expect(() => form({ via, timeoutMs: 1 })).toThrow("ETIMEDOUT");
    const session = new Session({ via });
    using tries = spyOn(loadSyscalls(), "handoverConnect");
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
    const asked = session.socket({ timeoutMs: 50 }); // runs among descriptor events: timers are next
    Bun.sleepSync(2000);
    (await asked).close();
  });

  test("that has connected times out in the step ask, not reach", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using silent = silentServer(via, 0);
    const native = loadSyscalls();
    const waiting = [native.handoverConnect(via, 0)];
    using session = new Session({ via });
    const reached = rejection(session.socket({ timeoutMs: 1000 }));
    await Bun.sleep(20); // it has found no room
    waiting.push(checked("accept", native.accept(silent.fd)));
    expect(await reached).toMatchObject({ code: "ETIMEDOUT", step: "ask" });
    session.close();
    for (const fd of waiting) native.close(fd);
  });

  test("rejects with ECONNREFUSED if the server ends while its backlog is full", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    const native = loadSyscalls();
    using session = new Session({ via });
    const waiting: number[] = [];
    const refused: Promise<XSocketError>[] = [];
    {
      using _ = silentServer(via, 0);
      waiting.push(native.handoverConnect(via, 0));
      refused.push(rejection(session.socket()), rejection(session.socket()));
      await Bun.sleep(5);
    }
    for (const error of await Promise.all(refused))
      expect(error).toMatchObject({ code: "ECONNREFUSED", step: "reach" });
    for (const fd of waiting) native.close(fd);
  });

  test("repeats a lost request once only, and does not treat its connection as idle meanwhile", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    const native = loadSyscalls();
    const accept = async (): Promise<number> => {
      await eventually("a connection", () => native.poll(server.fd, POLLIN, 0) > 0);
      return checked("accept", native.accept(server.fd));
    };
    using session = new Session({ via, idleMs: 20 });
    const first = rejection(session.socket({ timeoutMs: PATIENT_MS }));
    native.close(await accept());
    const connection = await accept();
    await Bun.sleep(50); // an idle connection would be closed by now
    const second = rejection(session.socket({ timeoutMs: PATIENT_MS }));
    await Bun.sleep(20);
    expect(native.poll(server.fd, POLLIN, 0)).toBe(0);
    native.close(connection);
    expect((await first).code).toBe("ECONNRESET");
    const again = await accept();
    native.sendPacket(again, encode({ kind: "response", error: errno.EPERM }), RESPONSE_BYTES, -1);
    expect((await second).code).toBe("EPERM");
    native.close(again);
  });

  test("sends again after EAGAIN, and gives up if sending also fails on a new connection", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    const native = loadSyscalls();
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
      using dir = tempDir();
      const via = dir.join("control");
      using _ = silentServer(via, 8);
      using session = new Session({ via, idleMs });
      const waits = rejection(session.socket({ timeoutMs: 600 }));
      using timers = spyOn(globalThis, "setTimeout");
      await waits;
      expect(timers.mock.calls.length).toBeLessThan(10);
    },
  );

  test("that cannot reach the server gives each request its own error and stack", async () => {
    using session = new Session({ via: "/nowhere/control" });
    const asked = [session.socket({ type: "dgram" }), session.socket()];
    const [first, second] = await Promise.all(asked.map((one) => rejection(one)));
    expect(first).not.toBe(second);
    expect([first?.asked, second?.asked]).toEqual([
      "get an IPv4 dgram socket",
      "get an IPv4 stream socket",
    ]);
    expect(second?.stack).toContain(import.meta.file);
  });

  test("gives each request the server's error, even one that could mean a lost answer", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    using session = new Session({ via });
    const { ETIMEDOUT, EAGAIN, EINTR, ECONNRESET, EBADMSG, EPERM } = errno;
    const numbers = [ETIMEDOUT, EAGAIN, EINTR, ECONNRESET, EBADMSG, EPERM];
    const errors = numbers.map(() => rejection(session.socket({ timeoutMs: 2 * PATIENT_MS })));
    const native = loadSyscalls();
    const connection = checked("accept", native.accept(server.fd));
    for (const error of numbers)
      native.sendPacket(connection, encode({ kind: "response", error }), RESPONSE_BYTES, -1);
    const codes = (await Promise.all(errors)).map(({ code }) => code);
    expect(codes).toEqual(numbers.map((number) => errnoName(number)));
    native.close(connection);
  });

  test.skipIf(isContained)("works in several Workers at once", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const workers = [1, 2, 3].map(() => new Worker(join(import.meta.dir, "worker.ts")));
    const answers = workers.map(
      (worker) =>
        new Promise((resolve) => worker.addEventListener("message", ({ data }) => resolve(data))),
    );
    for (const worker of workers) worker.postMessage({ via: server.path, count: 200 });
    const cookie = await target.cookie();
    expect(await Promise.all(answers)).toEqual([[cookie], [cookie], [cookie]]);
    await Promise.all(
      workers.map((worker) => {
        const closed = new Promise((resolve) => worker.addEventListener("close", resolve));
        worker.terminate();
        return closed;
      }),
    );
  });

  test.each(["", "process.exit()"])(
    "closes its connection when its Worker ends: %p",
    async (end) => {
      await using server = await startServer();
      const program = `
      const { Session } = await import(${JSON.stringify(import.meta.resolve("@xsocket/client"))});
      (await new Session({ via: ${JSON.stringify(server.path)} }).socket()).close();
      ${end}`;
      const before = descriptors().size;
      for (let i = 0; i < 3; i++) {
        const url = URL.createObjectURL(new Blob([program], { type: "application/typescript" }));
        const worker = new Worker(url);
        await new Promise((resolve) => worker.addEventListener("close", resolve));
      }
      await eventually("the descriptors of Workers to close", () => descriptors().size === before);
    },
  );

  test("does not close a connection as idle while it waits for an answer", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path, idleMs: 0 });
    (await session.socket()).close();
    await server.program.pause();
    const asked = session.socket();
    await Bun.sleep(50);
    server.program.kill("SIGCONT");
    (await asked).close();
  });

  test("keeps its connection open, or closes it after idleMs without use", async () => {
    await using server = await startServer();
    const atRest = descriptors().size;
    const connections = (): number => descriptors().size - atRest;
    using kept = new Session({ via: server.path });
    (await kept.socket()).close();
    await Bun.sleep(20); // it stays for ever
    expect(connections()).toBe(1);
    using idle = new Session({ via: server.path, idleMs: 100 });
    for (let round = 0; round < 2; round++) {
      (await idle.socket()).close();
      await eventually("the idle one to be closed", () => connections() === 1);
    }
    using used = new Session({ via: server.path, idleMs: 300 });
    (await used.socket()).close();
    await Bun.sleep(200);
    const usedAt = performance.now(); // its time begins anew no earlier
    (await used.socket()).close();
    await Bun.sleep(200);
    if (performance.now() - usedAt < 300) expect(connections()).toBe(2);
    await eventually("this one to be closed, too", () => connections() === 1);
    const shared = [await udp({ via: server.path }), await udp({ via: server.path })];
    expect(connections() - shared.length).toBeLessThanOrEqual(2);
    for (const socket of shared) socket.close();
    await eventually("the shared one to be closed", () => connections() === 1);
  });

  test("makes one connection for all requests that wait for a full backlog, even if the first gives up", async () => {
    await using server = await startServer({ args: ["--backlog", "1"] });
    await server.program.pause();
    const crowd: number[] = [];
    for (let fd = 0; fd >= 0; crowd.push(fd)) fd = loadSyscalls().handoverConnect(server.path, 0);
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
    for (const fd of crowd.slice(0, -1)) loadSyscalls().close(fd);
  });

  test("leaves no listener on a signal that outlives its requests", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    const { signal } = new AbortController();
    (await session.socket({ signal })).close();
    await rejection(
      connect({ via: session, hostname: "127.0.0.1", port: 9, signal, socket: { data() {} } }),
    );
    using there = fetchVia(session);
    await rejection(there("http://127.0.0.1:9/", { signal }));
    using page = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("page") });
    expect(await (await there(page.url, { signal })).text()).toBe("page");
    const listeners = () => getEventListeners(signal, "abort").length;
    await eventually("nobody to listen to the signal", () => listeners() === 0);
  });

  test("clears the idle timer of a connection that is gone", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    const native = loadSyscalls();
    const session = new Session({ via, idleMs: 60_000 });
    using begun = spyOn(globalThis, "setTimeout");
    using ended = spyOn(globalThis, "clearTimeout");
    for (let round = 0; round < 2; round++) {
      const asked = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      await eventually("a connection", () => native.poll(server.fd, POLLIN, 0) > 0);
      const fd = checked("accept", native.accept(server.fd));
      native.sendPacket(fd, encode({ kind: "response", error: errno.EPERM }), RESPONSE_BYTES, -1);
      expect((await asked).code).toBe("EPERM");
      native.close(fd);
    }
    session.close();
    const timers = begun.mock.results.filter((_, i) => begun.mock.calls[i]?.[1] === 60_000);
    expect(timers.length).toBe(2);
    const cleared = new Set<unknown>(ended.mock.calls.map(([timer]) => timer));
    expect(timers.filter(({ value }) => !cleared.has(value))).toBeEmpty();
  });

  test("does not keep the process alive, nor do finished requests with timeoutMs Infinity", async () => {
    await using server = await startServer();
    const program = `
      import { connect, Session, xsocket } from "@xsocket/client";
      const [, via] = process.argv;
      const session = new Session({ via, idleMs: 60_000 });
      (await session.socket()).close();
      (await xsocket({ via, timeoutMs: Infinity })).close();
      const peer = { hostname: "web.test", lookup: async () => ["127.0.0.1"], port: 9 };
      await connect({ via, ...peer, timeoutMs: Infinity, socket: { data() {} } }).catch(() => {});
      process.on("exit", () => console.log("ends"));
    `;
    const argv = [process.execPath, "-e", program, server.path];
    const ended = await here.run(argv, { withinMs: 20_000 });
    expect(ended.stdout, ended.stderr).toBe("ends\n");
  });

  test("leaves no timer and no rejection behind if the library is not found", async () => {
    using dir = tempDir();
    const program = `
      import { Session } from "@xsocket/client";
      using session = new Session({ via: process.argv[1] });
      process.on("unhandledRejection", (reason) => console.log("unhandled", reason.name));
      const start = performance.now();
      process.on("exit", () => console.log(performance.now() - start < 4000 ? "at once" : "late"));
      const abort = new AbortController();
      await session.socket({ signal: abort.signal }).catch(({ name }) => console.log(name));
      abort.abort();
    `;
    const argv = [process.execPath, "-e", program, dir.join("control")];
    const { stdout, stderr } = await here.run(argv, { env: { XSOCKET_LIBDIR: dir.path } });
    expect(stdout + stderr).toBe("LibraryNotFoundError\nat once\n");
  });

  test.skipIf(!isRoot)("gets sockets as the new user after a change of uid", async () => {
    await using server = await startServer({ args: ["--mode", "0666"] });
    using dir = tempDir();
    const silent = dir.join("control");
    using _ = silentServer(silent, 8);
    chmodSync(silent, 0o666);
    const program = [process.execPath, join(import.meta.dir, "change-uid.ts"), server.path, silent];
    const { stdout, stderr } = await here.run(program);
    expect(stdout + stderr).toBe(`0 ${ORDINARY_UID} ${ORDINARY_UID}\nECANCELED ECANCELED\n`);
  });
});
