import { expect, test } from "bun:test";
import { startMoved } from "./_move.ts";
import { checked, loadSyscalls } from "@xsocket/xbind-native";

test("a server that does not listen at the expected address is stopped, not moved", async () => {
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
