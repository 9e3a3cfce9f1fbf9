/* When a session opens and closes its connection. */
import { describe, expect, spyOn, test } from "bun:test";
import { Session, udp } from "@xsocket/client";
import { errno, loadSyscalls, POLLIN } from "@xsocket/xbind-native";
import {
  descriptors,
  eventually,
  here,
  leaked,
  ORDINARY_UID,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { PATIENT_MS, rejection } from "./observed.ts";
import { answer, endOf, SilentServer } from "./silent.ts";

const native = loadSyscalls();

describe("a session", () => {
  test("closes its connection when all unanswered requests are aborted", async () => {
    using server = new SilentServer();
    using session = new Session({ via: server.path });
    for (const answers of [0, 1]) {
      const controller = new AbortController();
      const answered = Array.from({ length: answers }, () => rejection(session.socket()));
      const given = session.socket({ signal: controller.signal });
      const connection = await server.accept();
      controller.abort();
      await expect(given).rejects.toMatchObject({ name: "AbortError" });
      for (const refused of answered) {
        answer(connection, errno.EPERM);
        expect((await refused).code).toBe("EPERM");
      }
      await endOf(connection);
    }
  });

  test("closes the connection of an earlier uid once its requests are answered, or sent on the next one", async () => {
    for (const isAnswered of [true, false]) {
      using server = new SilentServer();
      using session = new Session({ via: server.path });
      const first = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      const earlier = await server.accept();
      using _ = spyOn(process, "geteuid").mockReturnValue(ORDINARY_UID);
      const second = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      const later = await server.accept();
      if (isAnswered) {
        answer(earlier, errno.EPERM);
        await endOf(earlier);
      } else {
        native.dropPackets(later);
        native.close(earlier);
        await eventually("the other request", () => native.poll(later, POLLIN, 0) > 0);
      }
      answer(later, errno.EACCES);
      if (!isAnswered) answer(later, errno.EPERM);
      expect([(await first).code, (await second).code]).toEqual(["EPERM", "EACCES"]);
      native.close(later);
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

  test("clears the idle timer of a connection that is gone", async () => {
    using server = new SilentServer();
    const session = new Session({ via: server.path, idleMs: 60_000 });
    using begun = spyOn(globalThis, "setTimeout");
    using ended = spyOn(globalThis, "clearTimeout");
    for (let round = 0; round < 2; round++) {
      const asked = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      const connection = await server.accept();
      answer(connection, errno.EPERM);
      expect((await asked).code).toBe("EPERM");
      native.close(connection);
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
    const ended = await here.run([process.execPath, "-e", program, server.path]);
    expect(ended.stdout, ended.stderr).toBe("ends\n");
  });
});
