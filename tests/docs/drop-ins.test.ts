/* The drop-ins that the pages show are right in the eyes of systemd. */
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { guardDescriptors, here, tempDir } from "../harness/index.ts";
import { blocksOf } from "./blocks.ts";

const ROOT = join(import.meta.dir, "../..");
const SECTION = /^\[(?:Unit|Service)\]$/m;

guardDescriptors();

const pages = ["README.md", ...new Bun.Glob("docs/*.md").scanSync(ROOT)];
const blocks = pages.map(async (page) => ({ page, found: await blocksOf(page) }));
const dropIns = (await Promise.all(blocks)).flatMap(({ page, found }) =>
  found.filter(({ code }) => SECTION.test(code)).map(({ code }) => ({ page, code })),
);

test("there are drop-ins in the tutorial and in systemd.md", () => {
  const having = new Set(dropIns.map(({ page }) => page));
  expect([...having].toSorted()).toEqual(["docs/systemd.md", "docs/tutorial-vpn.md"]);
});

test.each(dropIns)("a drop-in of $page", async ({ code }) => {
  using dir = tempDir();
  const unit = dir.join("some.service");
  const required = [...code.matchAll(/^Requires=(.+)/gm)].map(([, name = ""]) => dir.join(name));
  for (const path of [unit, ...required]) await Bun.write(path, "[Service]\nExecStart=/bin/true\n");
  mkdirSync(`${unit}.d`);
  // systemd wants the programs to be there
  const text = code.replaceAll(/^(Exec\w+=[-+]*)\/\S+/gm, "$1/bin/true");
  await Bun.write(join(`${unit}.d`, "xbind.conf"), text);
  const argv = ["systemd-analyze", "--recursive-errors=yes", "--man=no", "verify", unit];
  const { code: exitCode, stdout, stderr } = await here.run(argv);
  // what is said of units that this machine has is no matter of this one
  const said = (stdout + stderr).split("\n").filter((line) => !/^\/(usr|etc)\//.test(line));
  expect(said.join("\n")).toBe("");
  expect(exitCode).toBe(0);
  await Bun.write(join(`${unit}.d`, "xbind.conf"), text.replace(/^Exec\w+=.+/m, "ExecNever=/"));
  expect((await here.run(argv)).stderr).toContain("ExecNever");
});
