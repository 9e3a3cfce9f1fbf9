/* What docs/policy.md, xsocket(1) and docs/systemd.md say of rules and units. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parseAccounts, parsePolicy } from "@xsocket/server";
import { here, ROOT, textOf } from "../harness/index.ts";

/* The keys that the error about an unknown key lists. */
function ruleKeys(): string[] {
  try {
    parsePolicy("none", "[[rule]]\nnone = 1", parseAccounts("", ""));
  } catch (error) {
    return /there are (.*)$/m.exec(String(error))?.[1]?.split(", ") ?? [];
  }
  return [];
}

describe("docs/policy.md", () => {
  test("its example is a policy", () => {
    const example = /```toml\n([\s\S]*?)```/.exec(textOf("docs/policy.md"))?.[1] ?? "";
    const accounts = parseAccounts("backup:x:34:34::/:\n", "monitoring:x:300:\n");
    expect(parsePolicy("example", example, accounts).rules).toHaveLength(4);
  });

  test("names every key of a rule", () => {
    const keys = ruleKeys();
    expect(keys.length).toBeGreaterThan(5);
    const page = textOf("docs/policy.md");
    expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
  });
});

describe("xsocket(1)", () => {
  const page = textOf("docs/man/xsocket.1");

  test("its example is a policy", () => {
    const example = /^\.Bd .*\n(\[\[rule\]\]\n[\s\S]*?)^\.Ed/m.exec(page)?.[1] ?? "";
    const users = "alice:x:1001:1001::/:\nbob:x:1002:1002::/:\n";
    const accounts = parseAccounts(users, "monitoring:x:300:\n");
    expect(parsePolicy("example", example, accounts).rules).toHaveLength(2);
  });

  test("names every key of a rule", () => {
    const keys = ruleKeys();
    expect(keys).toContain("action");
    expect(keys.filter((key) => !new RegExp(`^\\.Li ${key}\\b`, "m").test(page))).toEqual([]);
  });
});

test("docs/systemd.md gives the exposure level of systemd-analyze", async () => {
  const unit = join(ROOT, "build/release/packaging/systemd/xsocket.service");
  const analyze = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit];
  const { stdout } = await here.run(analyze);
  const [, level] = /Overall exposure level for \S+: (\S+)/.exec(stdout) ?? [];
  expect(textOf("docs/systemd.md")).toContain(`\`systemd-analyze security\` gives ${level}.`);
});

test("docs/systemd.md gives a reason for each key that the units leave out", () => {
  const left = /# Left out,[\s\S]*$/.exec(textOf("packaging/systemd/hardening.conf"))?.[0] ?? "";
  const keys = [...left.matchAll(/\b(\w+)=/g)].map(([, key]) => key ?? "");
  expect(keys.length).toBeGreaterThan(5);
  const page = textOf("docs/systemd.md");
  expect(keys.filter((key) => !page.includes(`\`${key}=\``))).toEqual([]);
});
