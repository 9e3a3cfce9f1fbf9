import { expect, test } from "bun:test";
import { join } from "node:path";

test("serve is started without the client library, which would take a third of the time", async () => {
  const entrypoints = [join(import.meta.dir, "serve.ts")];
  const { outputs } = await Bun.build({ entrypoints, target: "bun" });
  const text = (await outputs[0]?.text()) ?? ""; // it names each file in it
  expect(text).toContain("server/src/server.ts");
  expect(text).not.toContain("client/src/");
});
