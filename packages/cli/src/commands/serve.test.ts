import { expect, test } from "bun:test";
import { join } from "node:path";

/* Of Node. Each takes up to some milliseconds: net 4, tty 5, http 11. */
const MODULES = new Set(["fs", "os", "path", "util", "worker_threads"]);

test("serve is started without what takes its time: the client library, and modules of Node", async () => {
  const entrypoints = [join(import.meta.dir, "serve.ts")];
  const { outputs } = await Bun.build({ entrypoints, target: "bun" });
  const text = (await outputs[0]?.text()) ?? ""; // it names each file in it
  expect(text).toContain("server/src/server.ts");
  expect(text).not.toContain("client/src/");
  const modules = Array.from(text.matchAll(/ from "(?:node:)?([a-z/_]+)"/g), ([, name]) => name);
  expect(new Set(modules)).toEqual(MODULES);
});
