/* A session whose server answers too often, wrongly or not at all: each request gets its own answer. */
import { describe, expect, test } from "bun:test";
import { Session } from "@xsocket/client";
import { AF_INET, encode, RESPONSE_BYTES, SOCK_STREAM } from "@xsocket/protocol";
import { checked, errno, loadSyscalls, POLLIN } from "@xsocket/xbind-native";
import { eventually, guardDescriptors, tempDir } from "../harness/index.ts";
import { PATIENT_MS, rejection } from "./observed.ts";
import { silentServer } from "./silent.ts";

guardDescriptors();

describe("a session", () => {
  test("does not take an unsolicited message for the answer to its next request", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    using session = new Session({ via });
    const native = loadSyscalls();
    const stray = checked("socket", native.socket(AF_INET, SOCK_STREAM, 0));
    const connections: number[] = [];
    for (const [error, fd] of [
      [errno.EACCES, -1],
      [0, stray],
      [errno.EACCES, -1],
    ] as const) {
      const refused = rejection(session.socket());
      await Bun.sleep(1); // the request is on its way
      if ((native.poll(server.fd, POLLIN, 0) & POLLIN) === 0) break;
      const connection = checked("accept", native.accept(server.fd));
      connections.push(connection);
      const answer = (code: number, passed: number) =>
        native.sendPacket(
          connection,
          encode({ kind: "response", error: code }),
          RESPONSE_BYTES,
          passed,
        );
      answer(errno.EPERM, -1);
      expect((await refused).code).toBe("EPERM");
      answer(error, fd);
    }
    for (const fd of [stray, ...connections]) native.close(fd);
    expect(connections.length).toBe(3);
  });

  test.each(["ECONNRESET", "EBADMSG"])(
    "gives %s only to the request whose answer is lost or malformed, not to the next one",
    async (code) => {
      using dir = tempDir();
      const via = dir.join("control");
      using server = silentServer(via, 8);
      const native = loadSyscalls();
      using session = new Session({ via });
      const first = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      const behind = rejection(session.socket({ timeoutMs: PATIENT_MS }));
      for (const error of [0, 0, errno.EPERM]) {
        await eventually("a connection", () => native.poll(server.fd, POLLIN, 0) > 0, 5000);
        const connection = checked("accept", native.accept(server.fd));
        const answer = encode({ kind: "response", error }); // a malformed one: no socket comes with the 0
        if (error !== 0 || code === "EBADMSG")
          native.sendPacket(connection, answer, RESPONSE_BYTES, -1);
        native.close(connection);
      }
      expect((await first).code).toBe(code);
      expect((await behind).code).toBe("EPERM");
    },
  );

  test("gets each answer of a server that closes each connection after one", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    const native = loadSyscalls();
    using session = new Session({ via });
    const errors = [errno.EPERM, errno.EACCES, errno.EMFILE];
    const refused = errors.map(() => rejection(session.socket({ timeoutMs: PATIENT_MS })));
    for (const error of errors) {
      await eventually("a connection", () => native.poll(server.fd, POLLIN, 0) > 0, 5000);
      const connection = checked("accept", native.accept(server.fd));
      native.sendPacket(connection, encode({ kind: "response", error }), RESPONSE_BYTES, -1);
      native.close(connection);
    }
    const codes = (await Promise.all(refused)).map(({ code }) => code);
    expect(codes).toEqual(["EPERM", "EACCES", "EMFILE"]);
  });

  test("reconnects a few times, not once for each request, to a server that closes each connection", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using server = silentServer(via, 8);
    const native = loadSyscalls();
    using session = new Session({ via });
    const asked = Array.from({ length: 100 }, () => session.socket({ timeoutMs: PATIENT_MS }));
    const refused = Promise.all(asked.map((one) => rejection(one)));
    let connections = 0;
    for (; Bun.peek.status(refused) === "pending"; await Bun.sleep(1)) {
      if (native.poll(server.fd, POLLIN, 0) <= 0) continue;
      native.close(checked("accept", native.accept(server.fd)));
      connections++;
    }
    expect(new Set((await refused).map(({ code }) => code))).toEqual(new Set(["ECONNRESET"]));
    expect(connections).toBeLessThan(20);
  });
});
