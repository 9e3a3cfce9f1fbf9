/* A session whose server answers too often, wrongly or not at all: each request gets its own answer. */
import { describe, expect, test } from "bun:test";
import { Session } from "@xsocket/client";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { checked, errno, loadSyscalls } from "@xsocket/xbind-native";
import { eventually } from "../harness/index.ts";
import { PATIENT_MS, rejection } from "./observed.ts";
import { answer, SilentServer } from "./silent.ts";

const native = loadSyscalls();

describe("a session", () => {
  test("does not take an unsolicited message for the answer to its next request", async () => {
    using server = new SilentServer();
    using session = new Session({ via: server.path });
    const stray = checked("socket", native.socket(AF_INET, SOCK_STREAM, 0));
    const connections: number[] = [];
    for (const [error, fd] of [
      [errno.EACCES, -1],
      [0, stray],
      [errno.EACCES, -1],
    ] as const) {
      const refused = rejection(session.socket());
      const hasTaken = () => Bun.peek.status(refused) !== "pending"; // what was unsolicited
      await eventually("a connection", () => server.isCalled() || hasTaken());
      if (!server.isCalled()) break;
      const connection = await server.accept();
      connections.push(connection);
      answer(connection, errno.EPERM);
      expect((await refused).code).toBe("EPERM");
      answer(connection, error, fd);
    }
    for (const fd of [stray, ...connections]) native.close(fd);
    expect(connections.length).toBe(3);
  });

  test.each(["ECONNRESET", "EBADMSG"])(
    "gives %s only to the request whose answer is lost or malformed, not to the next one",
    async (code) => {
      using server = new SilentServer();
      using session = new Session({ via: server.path });
      const first = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      const behind = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      for (const error of [0, 0, errno.EPERM]) {
        const connection = await server.accept();
        // malformed, as no socket comes with the 0
        if (error !== 0 || code === "EBADMSG") answer(connection, error);
        native.close(connection);
      }
      expect((await first).code).toBe(code);
      expect((await behind).code).toBe("EPERM");
    },
  );

  test("reconnects a few times, not once for each request, to a server that closes each connection", async () => {
    using server = new SilentServer();
    using session = new Session({ via: server.path });
    const asked = Array.from({ length: 100 }, () => session.socket({ timeoutMs: PATIENT_MS }));
    const refused = Promise.all(asked.map((one) => rejection(one)));
    let connections = 0;
    for (; Bun.peek.status(refused) === "pending"; await Bun.sleep(1)) {
      if (!server.isCalled()) continue;
      native.close(await server.accept());
      connections++;
    }
    expect(new Set((await refused).map(({ code }) => code))).toEqual(new Set(["ECONNRESET"]));
    expect(connections).toBeLessThan(20);
  });
});
