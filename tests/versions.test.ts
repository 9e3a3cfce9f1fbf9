/* The top level package.json has the versions; files that must repeat them agree with it. */
import { expect, test } from "bun:test";
import { ROOT, textOf } from "./harness/root.ts";

interface Manifest {
  readonly version: string;
  readonly packageManager: string;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly engines?: { readonly bun: string };
}

function manifest(path: string): Manifest {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the repository's own file
  return JSON.parse(textOf(path)) as Manifest;
}

const pinned = manifest("package.json");
const bun = pinned.packageManager.replace("bun@", "");

test("the tests run on the pinned Bun", () => {
  expect(Bun.version).toBe(bun);
});

test("Bun's types and what the documentation says are of the pinned Bun", () => {
  expect(pinned.devDependencies["@types/bun"]).toBe(bun);
  const readmes = new Bun.Glob("packages/*/README.md").scanSync(ROOT);
  const told = ["docs/sdk.md", "docs/packages.md", ...readmes].flatMap((page) =>
    Array.from(
      textOf(page).matchAll(/\bbun[ @](\d+\.\d+\.\d+)/gi),
      ([, version]) => `${page}: ${version}`,
    ),
  );
  expect(told.length).toBeGreaterThan(5);
  expect(told.filter((line) => !line.endsWith(` ${bun}`))).toEqual([]);
});

test.each([...new Bun.Glob("packages/*/package.json").scanSync(ROOT)])(
  "%s has the version of the project and the pinned Bun",
  (path) => {
    const { version, engines } = manifest(path);
    expect(version).toBe(pinned.version);
    expect(engines?.bun).toBe(bun);
  },
);

test("docs/sdk.md names the tarballs of this version", () => {
  const names = textOf("docs/sdk.md").match(/[\d.]+(?=\.tgz)/g);
  expect([...new Set(names)]).toEqual([pinned.version]);
});

test("the PKGBUILD has the version of the project", () => {
  const text = textOf("packaging/arch/PKGBUILD");
  expect(/^pkgver=(.*)$/m.exec(text)?.[1]).toBe(pinned.version);
});
