import { describe, expect, spyOn, test } from "bun:test";
import { closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  Session,
  type SocketKind,
  xsocket,
  XSocketError,
  type XSocketOptions,
  xsocketSync,
} from "@xsocket/client";
import { encode, RESPONSE_BYTES } from "@xsocket/protocol";
import { checked, errno, loadSyscalls } from "@xsocket/xbind-native";
import {
  createNamespace,
  descriptors,
  eventually,
  guardDescriptors,
  here,
  netnsCookie,
  ORDINARY_UID,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { silentServer } from "./silent.ts";

guardDescriptors();

const PATIENT_MS = 30_000; // many at once take turns with the server, each of which may wait for a processor
const STALL_MS = 5; // the longest time that the event loop may stand still
const MANY = 10_000;

async function rejection(promise: Promise<unknown>): Promise<XSocketError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof XSocketError) return error;
  throw new Error(`no XSocketError but ${String(error)}`);
}

describe("one socket", () => {
  test("belongs to the target, closes with its scope, and moves out by take", async () => {
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
  });

  test("is asked for by name or by number, with the flags that were wished", async () => {
    await using server = await startServer();
    const via = server.path;
    const kinds: [XSocketOptions, number, number, number][] = [
      [{}, 2, 1, 6],
      [{ family: 6, type: "stream" }, 10, 1, 6],
      [{ domain: 10, type: 2, protocol: 17 }, 10, 2, 17],
      [{ type: "stream", protocol: "mptcp" }, 2, 1, 262],
      [{ type: 1 | 0o4000 }, 2, 1, 6],
    ];
    for (const [options, domain, type, protocol] of kinds) {
      using socket = await xsocket({ via, ...options });
      expect([39, 3, 38].map((name) => optionOf(socket.fd, name))).toEqual([
        domain,
        type,
        protocol,
      ]);
      expect(flagsOf(socket.fd)).toContain(options.type === 0o4001 ? "02004002" : "02000002");
    }
    using quick = await xsocket({ via, nonblocking: true });
    expect(flagsOf(quick.fd)).toContain("02004002");
  });

  test("is refused by the server in a sentence", async () => {
    await using server = await startServer();
    const error = await rejection(xsocket({ via: server.path, domain: 16, type: "raw" }));
    expect(error).toMatchObject({ code: "EPERM", step: "ask", server: server.path });
    expect(error.message).toContain("policy");
  });

  test("of a kind that there cannot be is refused before anybody is asked", async () => {
    const kinds = [
      { family: "constructor" },
      { family: 5 },
      { family: Object.create(null) },
      { domain: Object.create(null) },
      { domain: "2" },
      { domain: 2 ** 31 },
      { type: "constructor" },
      { protocol: 1.5 },
    ];
    for (const kind of kinds) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JavaScript may give anything
      const error = await rejection(xsocket({ via: "/nowhere", ...kind } as XSocketOptions));
      expect(error).toMatchObject({ code: "EINVAL", step: "options" });
    }
  });

  test("is kept for weeks without looking all the time whether they are over", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path, idleMs: 1e300 });
    const timers = spyOn(globalThis, "setTimeout");
    (await session.socket()).close();
    const waits = timers.mock.calls.map(([, ms]) => ms ?? 0);
    timers.mockRestore();
    expect(Math.max(...waits)).toBeLessThan(2 ** 31);
  });
});

function optionOf(fd: number, name: number): number {
  const value = new Int32Array(new ArrayBuffer(4));
  loadSyscalls().getsockopt(fd, 1, name, value, 4);
  return value[0] ?? -1;
}

function flagsOf(fd: number): string {
  return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
}

/* Milliseconds that this thread has been kept waiting for a processor, which others on a busy machine do. */
function keptWaiting(): number {
  const [, waited] = readFileSync("/proc/self/schedstat", "utf8").split(" "); // in nanoseconds
  return Number(waited) / 1e6;
}

/* The time, less what others have taken. */
function ownTime(): number {
  return performance.now() - keptWaiting();
}

/* The longest time that the event loop did not come round while `work` went on, though it could have. */
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
    ["accepts into its backlog", 64],
    ["has a full backlog", 0],
  ] as const)(
    "and %s: ETIMEDOUT, an abort ends it, the event loop keeps ticking",
    async (_, backlog) => {
      using dir = tempDir();
      const via = dir.join("control");
      using silent = silentServer(via, backlog);
      expect(silent).toBeDefined();
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

describe("a session", () => {
  test("gives sockets of all kinds at once, each to the one who asked", async () => {
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
      expect(optionOf(socket.fd, 39)).toBe(ask[i % 4]?.family === 6 ? 10 : 2);
      expect(optionOf(socket.fd, 3)).toBe(ask[i % 4]?.type === "dgram" ? 2 : 1);
      expect(netnsCookie(socket.fd)).toBe(await target.cookie());
      socket.close();
    }
  });

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

  test("an abandoned request does not disturb the others", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    for (let round = 0; round < 50; round++) {
      const controller = new AbortController();
      const given = session.socket({ signal: controller.signal });
      const kept = session.socket({ family: 6 });
      controller.abort();
      await expect(given).rejects.toMatchObject({ name: "AbortError" });
      using socket = await kept;
      expect(optionOf(socket.fd, 39)).toBe(10);
    }
  });

  test("many requests that are aborted at once do not end those of others", async () => {
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

  test("that was forgotten lets go of its connection", async () => {
    await using server = await startServer();
    const before = descriptors().size;
    const make = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) (await new Session({ via: server.path }).socket()).close();
    };
    await make();
    expect(descriptors().size).toBeGreaterThan(before);
    await eventually("the connections to be closed", () => {
      Bun.gc(true);
      return descriptors().size <= before;
    });
  });

  test("goes on by itself after a restart of the server, also of one killed in the middle", async () => {
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

  test("ends what is under way when it is closed", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using silent = silentServer(via, 8);
    expect(silent).toBeDefined();
    const session = new Session({ via });
    const underWay = [1, 2, 3].map(() => rejection(session.socket()));
    await Bun.sleep(1);
    session.close();
    for (const error of await Promise.all(underWay)) expect(error.code).toBe("ECANCELED");
    expect((await rejection(session.socket())).code).toBe("ECANCELED");
  });

  test("gives each its own time and error while the server has no room, and ends with them", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using silent = silentServer(via, 0);
    expect(silent).toBeDefined();
    const full = [xsocketSync, xsocketSync]; // take the room that there is
    for (const form of full) expect(() => form({ via, timeoutMs: 1 })).toThrow("ETIMEDOUT");
    const session = new Session({ via });
    const from = performance.now();
    const first = rejection(session.socket({ timeoutMs: 6000, type: "dgram" }));
    await Bun.sleep(5500);
    const second = rejection(session.socket({ timeoutMs: 1500 }));
    expect(await first).toMatchObject({ code: "ETIMEDOUT", step: "reach" });
    expect((await first).asked).toContain("dgram");
    expect(await second).toMatchObject({ code: "ETIMEDOUT", step: "reach" });
    expect((await second).asked).toContain("stream");
    expect(performance.now() - from).toBeGreaterThan(6990);
    const third = rejection(session.socket());
    session.close();
    expect((await third).code).toBe("ECANCELED");
    expect(performance.now() - from).toBeLessThan(10_000);
  }, 20_000);

  test("that cannot reach the server says so to each who asked, at its own line", async () => {
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

  test("gives each request its own error, also one that could mean that none has come", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    using session = new Session({ via });
    const numbers = [errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR, errno.EPERM];
    const errors = numbers.map(() => rejection(session.socket()));
    await Bun.sleep(1); // the requests are on their way
    const native = loadSyscalls();
    const connection = checked("accept", native.accept(server.fd));
    for (const error of numbers)
      native.sendPacket(connection, encode({ kind: "response", error }), RESPONSE_BYTES, -1);
    const codes = (await Promise.all(errors)).map(({ code }) => code);
    expect(codes).toEqual(["ETIMEDOUT", "EAGAIN", "EINTR", "EPERM"]);
    native.close(connection);
  }, 2000);

  test("works in several Workers at once", async () => {
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

  test.each(["", "process.exit()"])("ends with its Worker: %p", async (end) => {
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
  });

  test.skipIf(process.geteuid?.() !== 0)("asks as the new user after a change of uid", async () => {
    await using server = await startServer({ args: ["--mode", "0666"] });
    const program = [process.execPath, join(import.meta.dir, "change-uid.ts"), server.path];
    const { stdout, stderr } = await here.run(program);
    expect(stdout + stderr).toBe(`0 ${ORDINARY_UID} ${ORDINARY_UID}\n`);
  });
});
