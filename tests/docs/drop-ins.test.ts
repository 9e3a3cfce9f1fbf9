/* systemd accepts the drop-ins and units that the pages show. */
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, systemdVersion, tempDir, verifyUnit } from "../harness/index.ts";
import { blocksOf } from "./blocks.ts";

const SECTION = /^\[(?:Unit|Service)\]$/m;

const pages = ["README.md", ...new Bun.Glob("docs/*.md").scanSync(ROOT)];
const dropIns = pages.flatMap((page) =>
  blocksOf(page)
    .filter(({ code }) => SECTION.test(code))
    .map(({ code }) => ({ page, code })),
);

test("the VPN tutorial and systemd.md have drop-ins", () => {
  const having = new Set(dropIns.map(({ page }) => page));
  expect([...having].toSorted()).toEqual(["docs/systemd.md", "docs/tutorial-vpn.md"]);
});

test.each(dropIns)("systemd accepts a drop-in or unit of $page", async ({ code }) => {
  using dir = tempDir();
  const unit = dir.join("some.service");
  const required = [...code.matchAll(/^Requires=(.+)/gm)].map(([, name = ""]) => dir.join(name));
  for (const path of [unit, ...required]) await Bun.write(path, "[Service]\nExecStart=/bin/true\n");
  mkdirSync(`${unit}.d`);
  const file = code.includes("[Install]") ? unit : join(`${unit}.d`, "xbind.conf");
  // systemd requires that the programs exist
  let text = code.replaceAll(/^(Exec\w+=[-+]*)\/\S+/gm, "$1/bin/true");
  // and before 253, as on Debian 12, it says that it ignores this line
  if (systemdVersion() < 253) text = text.replace("Type=notify-reload\n", "");
  await Bun.write(file, text);
  expect(await verifyUnit(unit)).toEqual({ said: "", code: 0 });
  await Bun.write(file, `${text}\nExecNever=/\n`);
  expect((await verifyUnit(unit)).said).toContain("ExecNever");
});
