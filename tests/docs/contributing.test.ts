/* The presets, directories, files and commands of docs/CONTRIBUTING.md exist. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { here, ROOT, textOf } from "../harness/index.ts";

const page = textOf("docs/CONTRIBUTING.md");

type Kind = "configurePresets" | "buildPresets" | "testPresets";
type Presets = Record<Kind, readonly { readonly name: string; readonly hidden?: boolean }[]>;
const presets: Presets = JSON.parse(textOf("CMakePresets.json"));
const names = (kind: Kind) => presets[kind].filter(({ hidden }) => !hidden).map(({ name }) => name);

test("each configure preset has a build preset, and the presets of the page exist", () => {
  expect(names("buildPresets")).toEqual(names("configurePresets"));
  const used = [...page.matchAll(/(cmake|cmake --build|ctest) --preset (\w+)/g)];
  expect(used.length).toBeGreaterThan(5);
  for (const [line, command, name = ""] of used)
    expect(names(command === "ctest" ? "testPresets" : "configurePresets"), line).toContain(name);
});

test("each directory of tests is in the page's table", () => {
  const all = readdirSync(join(ROOT, "tests"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
    .map(({ name }) => `tests/${name}`);
  expect(all).toContain("tests/cli");
  expect(all.filter((path) => !page.includes(`\`${path}\``))).toEqual([]);
});

test("the files of the page's tables exist", () => {
  for (const [row] of page.matchAll(/^\| .*`[a-z-]+\/.*$/gm)) {
    const paths = [...row.matchAll(/`([a-z-]+\/[\w./-]+)`/g)].map(([, path = ""]) => path);
    expect(paths, row).not.toBeEmpty();
    for (const path of paths)
      expect(existsSync(join(ROOT, "packages", path)) || existsSync(join(ROOT, path)), path).toBe(
        true,
      );
  }
});

test("CMakeLists.txt names each test in C", () => {
  const dir = "packages/xbind-native/tests";
  const told = new Set(textOf(`${dir}/CMakeLists.txt`).match(/\w+/g));
  const all = [...new Bun.Glob("*.c").scanSync(join(ROOT, dir))];
  expect(all).toContain("test_wire.c");
  expect(all.filter((file) => !told.has(file.slice(0, -".c".length)))).toEqual([]);
});

test("./dev test takes files of C and TypeScript together, and fails for an unknown one", async () => {
  const c = "packages/xbind-native/tests/test_wire.c";
  expect(page).toContain(`./dev test ${c}\n`);
  const env = { PATH: `${join(process.execPath, "..")}:${process.env["PATH"]}` };
  const run = (...files: string[]) =>
    here.run(["sh", "scripts/test.sh", ...files], { cwd: ROOT, env });
  const both = await run(c, "packages/cli/src/nearest.test.ts");
  expect(both.stdout).toContain("1/1 Test");
  expect(both.stderr).toContain(" 0 fail");
  expect(both.code).toBe(0);
  expect((await run("nosuch.c")).code).toBe(1);
});
