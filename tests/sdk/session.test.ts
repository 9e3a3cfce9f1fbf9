/* Many sockets over one connection. */
import { describe, expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { connect, fetchVia, Session, type SocketKind, xsocket } from "@xsocket/client";
import { errno, errnoName, loadSyscalls } from "@xsocket/xbind-native";
import {
  createNamespace,
  descriptors,
  eventually,
  hasIpv6,
  here,
  isContained,
  isRoot,
  netnsCookie,
  ORDINARY_UID,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { optionOf, PATIENT_MS, rejection } from "./observed.ts";
import { answer, SilentServer } from "./silent.ts";

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

  test("rejects pending and later requests with ECANCELED when it is closed", async () => {
    using server = new SilentServer();
    const session = new Session({ via: server.path });
    const underWay = [1, 2, 3].map(() => rejection(session.socket()));
    session.close();
    const asked = "get an IPv4 stream socket";
    for (const error of await Promise.all(underWay))
      expect(error).toMatchObject({ code: "ECANCELED", asked });
    expect((await rejection(session.socket())).code).toBe("ECANCELED");
  });

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
    using server = new SilentServer();
    using session = new Session({ via: server.path });
    const { ETIMEDOUT, EAGAIN, EINTR, ECONNRESET, EBADMSG, EPERM } = errno;
    const numbers = [ETIMEDOUT, EAGAIN, EINTR, ECONNRESET, EBADMSG, EPERM];
    const errors = numbers.map(() => rejection(session.socket({ timeoutMs: 2 * PATIENT_MS })));
    const connection = await server.accept();
    for (const error of numbers) answer(connection, error);
    const codes = (await Promise.all(errors)).map(({ code }) => code);
    expect(codes).toEqual(numbers.map((number) => errnoName(number)));
    loadSyscalls().close(connection);
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
    using silent = new SilentServer();
    chmodSync(silent.path, 0o666);
    const program = [process.execPath, join(import.meta.dir, "change-uid.ts")];
    const { stdout, stderr } = await here.run([...program, server.path, silent.path]);
    expect(stdout + stderr).toBe(`0 ${ORDINARY_UID} ${ORDINARY_UID}\nECANCELED ECANCELED\n`);
  });
});
