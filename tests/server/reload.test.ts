/* The policy of a server within a program, read again. */
import { expect, spyOn, test } from "bun:test";
import { xsocket } from "@xsocket/client";
import { DEFAULT_POLICY, serve } from "@xsocket/server";
import { eventually, tempDir } from "../harness/index.ts";

test("keeps the policy when a reload returns none", async () => {
  using dir = tempDir();
  const none: typeof DEFAULT_POLICY = Reflect.get({}, "policy"); // undefined, as from a file without one
  const policies = [DEFAULT_POLICY];
  const policy = () => policies.shift() ?? none;
  const notGiven: string | undefined = process.env["XSOCKET_NOT_GIVEN"];
  const others = { group: notGiven, auditFile: notGiven, maxConnections: undefined };
  await using server = await serve({ address: dir.join("control"), policy, ...others });
  await expect(server.reload()).rejects.toThrow("policy has returned undefined");
  using socket = await xsocket({ via: server.address });
  expect(socket.closed).toBe(false);
});

test("the later of two concurrent reloads wins, whichever is read first", async () => {
  using dir = tempDir();
  const reads: ((source: string) => void)[] = [];
  const FAILS = "a mistake";
  const policy = async () => {
    const source = await new Promise<string>((resolve) => reads.push(resolve));
    if (source === FAILS) throw new Error(FAILS);
    return { source, rules: [] };
  };
  const starting = serve({ address: dir.join("control"), policy });
  await eventually("the policy to be read", () => reads.length === 1); // the socket is made first
  reads[0]?.("at the start");
  await using server = await starting;
  const reloads = [server.reload(), server.reload()];
  reads[2]?.("the later");
  await reloads[1];
  expect(server.status().policy.source).toBe("the later");
  reads[1]?.("the earlier");
  await reloads[0];
  expect(server.status().policy.source).toBe("the later");
  const others = [server.reload(), server.reload()];
  reads[4]?.("the last");
  await others[1];
  reads[3]?.(FAILS); // the later one succeeded, so the policy is not outdated
  await expect(others[0]).rejects.toThrow(FAILS);
  expect(server.status().policy).toMatchObject({ source: "the last", outdated: false });
  const failing = [server.reload(), server.reload()];
  reads[6]?.(FAILS);
  await expect(failing[1]).rejects.toThrow(FAILS);
  reads[5]?.("the one before"); // it is in force, but the later reload failed
  await failing[0];
  expect(server.status().policy).toMatchObject({ source: "the one before", outdated: true });
});

test("keeps the policy and reports it as outdated when a new one cannot be applied", async () => {
  using dir = tempDir();
  const sources = ["at the start", "the next"];
  const policy = () => ({ source: sources.shift() ?? "", rules: [] });
  await using server = await serve({ address: dir.join("control"), policy });
  {
    using random = spyOn(crypto, "getRandomValues").mockImplementation(() => {
      throw new Error("no seed for its quotas");
    });
    await expect(server.reload()).rejects.toThrow("no seed");
    expect(random).toHaveBeenCalledTimes(1);
  }
  expect(server.status().policy).toMatchObject({ source: "at the start", outdated: true });
});
