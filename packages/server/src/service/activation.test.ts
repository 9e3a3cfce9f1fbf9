import { describe, expect, test } from "bun:test";
import { overridden, takeActivation } from "./activation.ts";

function taken(env: NodeJS.ProcessEnv) {
  return takeActivation(env, 7);
}

test("takes one listening socket and removes the variables", () => {
  const env = { LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: "xsocket", HOME: "/" };
  expect(taken(env)).toEqual({ fd: 3, own: false });
  expect(Object.keys(env)).toEqual(["HOME"]);
});

test.each(["xsocket", "my.socket", "unknown", ""])("accepts the socket name %j", (name) => {
  expect(taken({ LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: name })?.fd).toBe(3);
});

test("the server's own socket name marks the socket file as its own", () => {
  const env = { LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: "xsocket-bound" };
  expect(taken(env)).toEqual({ fd: 3, own: true });
});

test("ignores variables that are missing or for another process", () => {
  expect(taken({})).toBeUndefined();
  expect(taken({ LISTEN_FDS: "1" })).toBeUndefined();
  expect(taken({ LISTEN_PID: "7" })).toBeUndefined();
  expect(taken({ LISTEN_PID: "8", LISTEN_FDS: "1" })).toBeUndefined();
  expect(taken({ LISTEN_PID: "7", LISTEN_FDS: "0" })).toBeUndefined();
});

describe("refuses", () => {
  test.each([
    [{ LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b" }, "LISTEN_FDS says 2 (a:b)"],
    [{ LISTEN_FDS: "x" }, "LISTEN_FDS says x"],
    [{ LISTEN_FDS: "-1" }, "LISTEN_FDS says -1"],
    [{ LISTEN_FDS: "1", LISTEN_FDNAMES: "xsocket:xsocket" }, "exactly one"],
    [{ LISTEN_FDS: "1", LISTEN_FDNAMES: "http" }, 'named "http"'],
  ])("%j", (env, problem) => {
    const refusal = { code: "LISTEN_FD", message: expect.stringContaining(problem) };
    expect(() => taken({ LISTEN_PID: "7", ...env })).toThrow(expect.objectContaining(refusal));
  });
});

test("names the options that an abstract name does not have", () => {
  const been = "has no effect: the socket was there before this server, with an abstract name";
  expect(overridden({ mode: 0o600, group: "media" }, "@name")).toEqual([
    `--mode 0600 ${been}`,
    `--group media ${been}`,
  ]);
  expect(overridden({}, "@name")).toEqual([]);
});

test("knows nothing of the file at a relative path, which is below another directory", () => {
  expect(overridden({ mode: 0 }, "packages")).toEqual([]);
});
