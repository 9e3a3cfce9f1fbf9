import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const VERSION = /"version": "(.*)"/;
const version = VERSION.exec(read("package.json"))?.[1];

test("every package and the PKGBUILD have the version of the top level", () => {
  for (const path of new Bun.Glob("packages/*/package.json").scanSync(ROOT))
    expect(VERSION.exec(read(path))?.[1], path).toBe(version);
  expect(/^pkgver=(.*)$/m.exec(read("packaging/arch/PKGBUILD"))?.[1]).toBe(version);
});
