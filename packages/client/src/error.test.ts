import { expect, test } from "bun:test";
import { shellWord } from "@xsocket/protocol";
import { XSocketError } from "./index.ts";

test("a remedy quotes the server for a shell", () => {
  for (const via of ["/run/$$/none", "/run/$&", "/run/SERVER", "/run/a b", "/run/it's", "@a b"]) {
    const wrong = new XSocketError({ code: "ENOENT", step: "reach", server: via, asked: "ask" });
    const [, word] = /"xsocket serve (.*)" in/.exec(wrong.remedy) ?? [];
    const { stdout } = Bun.spawnSync(["sh", "-c", `printf %s ${word}`]);
    expect(stdout.toString()).toBe(via);
  }
});

test("an error without words of its own says in words what failed", () => {
  const failure = { code: "EIO", server: "/run/x", asked: "get an IPv4 stream socket" } as const;
  const { message } = new XSocketError({ ...failure, step: "ask" });
  expect(message).toBe(
    "cannot get an IPv4 stream socket through /run/x: asking the server failed (EIO). See EIO in docs/errors.md or in errno(3).",
  );
});

test("a remedy gives a relative path as an absolute one", () => {
  const wrong = new XSocketError({ code: "ENOENT", step: "reach", server: "lan", asked: "ask" });
  expect(wrong.remedy).toContain(`"xsocket serve ${shellWord(`${process.cwd()}/lan`)}"`);
});

test("the remedy for an untrusted abstract name gives the variable that trusts it", () => {
  const wrong = new XSocketError({ code: "EACCES", step: "reach", server: "@name", asked: "ask" });
  expect(wrong.remedy).toEndWith("set XSOCKET_ANY_SERVER=1.");
});
