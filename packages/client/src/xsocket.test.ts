import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { XSocketError } from "./error.ts";
import { xsocket, xsocketSync, type XSocketOptions } from "./xsocket.ts";

/** What both forms end with: they must agree. */
async function failureOf(options: XSocketOptions): Promise<XSocketError> {
  const failures = [];
  for (const form of [xsocketSync, xsocket]) {
    try {
      (await form(options)).close();
    } catch (error) {
      if (!(error instanceof XSocketError)) throw error;
      failures.push(error);
    }
  }
  const [sync, async] = failures;
  if (!sync || !async) throw new Error("no failure");
  expect(async.message).toBe(sync.message);
  return sync;
}

test("a server that is not there is an error that says what to do", async () => {
  const directory = mkdtempSync(join(tmpdir(), "xsocket-client-"));
  const via = join(directory, "control");
  const before = readdirSync("/proc/self/fd").length;
  const error = await failureOf({ via, family: 6 });
  expect(error).toMatchObject({ code: "ENOENT", step: "reach", server: via });
  expect(error.asked).toBe("get an IPv6 stream socket");
  expect(error.remedy).toContain(`xsocket serve ${via}`);
  expect(readdirSync("/proc/self/fd").length).toBe(before);
  rmSync(directory, { recursive: true });
});

test("options that cannot be right are refused before anything is opened", async () => {
  // The wrong types are the point: programs in JavaScript get here too.
  const wrong: [string, object][] = [
    ["family is 5", { family: 5 }],
    ["both family and domain", { family: 4, domain: 2 }],
    ["type is tape", { type: "tape" }],
    ["type is toString", { type: "toString" }],
    ["protocol is 1.5", { protocol: 1.5 }],
    ["domain is 4294967298", { domain: 2 ** 32 + 2 }],
    ["timeoutMs is 0", { timeoutMs: 0 }],
    ["timeoutMs is NaN", { timeoutMs: Number.NaN }],
    ["is empty", { via: "" }],
  ];
  for (const [found, options] of wrong) {
    const error = await failureOf({ via: "/nowhere", ...options });
    expect(error).toMatchObject({ code: "EINVAL", step: "options" });
    expect(error.message).toContain(found);
  }
  expect((await failureOf({ via: `/${"p".repeat(200)}` })).code).toBe("ENAMETOOLONG");
});

test("an aborted signal ends it with its own reason", async () => {
  const signal = AbortSignal.abort(new Error("no more"));
  expect(() => xsocketSync({ signal })).toThrow("no more");
  expect(xsocket({ signal })).rejects.toThrow("no more");
});
