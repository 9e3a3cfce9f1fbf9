import { expect, test } from "bun:test";
import { join } from "node:path";

/* The modules of Node that are allowed. Others take milliseconds to load: net 4, tty 5, http 11. */
const MODULES = new Set(["fs", "os", "path", "util", "worker_threads"]);

/* Made before the test, since Bun keeps the descriptors of its bundler. */
const entrypoints = [join(import.meta.dir, "serve.ts")];
const { outputs } = await Bun.build({ entrypoints, target: "bun" });

test("the bundle of serve has neither the client library nor slow Node modules", async () => {
  const text = (await outputs[0]?.text()) ?? ""; // it names each file in it
  expect(text).toContain("server/src/server.ts");
  expect(text).not.toContain("client/src/");
  const modules = Array.from(text.matchAll(/ from "(?:node:)?([a-z/_]+)"/g), ([, name]) => name);
  expect(new Set(modules)).toEqual(MODULES);
});
