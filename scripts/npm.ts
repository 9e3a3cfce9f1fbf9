/*
 * ./dev npm: makes the npm tarballs in build/npm: the command, compiled beforehand as it is installed
 * elsewhere, the packages for TypeScript as their sources, and one for each platform with the native
 * libraries and the launcher. Packages have these as optional dependencies, and the loader
 * finds out which of them works.
 */
import { $, Glob } from "bun";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const OUT = join(ROOT, "build/npm");
const COMMAND = join(ROOT, "build/command");
const PACKAGES = ["protocol", "xbind-native", "server", "client"];

/** A platform, by npm's names, and the CMake preset that builds its libraries. */
interface Platform {
  readonly name: string;
  readonly preset: string;
  readonly cpu: "x64" | "arm64";
  readonly libc: "glibc" | "musl";
}

const PLATFORMS: readonly Platform[] = [
  { name: "linux-x64", preset: "release", cpu: "x64", libc: "glibc" },
  { name: "linuxmusl-x64", preset: "musl", cpu: "x64", libc: "musl" },
  { name: "linux-arm64", preset: "aarch64", cpu: "arm64", libc: "glibc" },
  { name: "linuxmusl-arm64", preset: "aarch64-musl", cpu: "arm64", libc: "musl" },
];
/** The launcher is that of musl, which is static, so that no libc can be too old for it. */
const LAUNCHER_PRESET = { x64: "musl", arm64: "aarch64-musl" } as const;
const OPTIONAL = `The packages \`xsocket\` and \`@xsocket/xbind-native\` take the one of the machine's platform as an
optional dependency, so it need not be named.`;
const LIBRARIES = ["libxsocket.so", "libxbind.so"];
const LAUNCHER = "xsocket-launch";

type Manifest = Record<string, unknown> & {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
};

const manifestOf = (path: string): Promise<Manifest> => Bun.file(join(path, "package.json")).json();
const { version } = await manifestOf(ROOT);
const natives = Object.fromEntries(
  PLATFORMS.map(({ name }) => [`@xsocket/native-${name}`, version]),
);

/** A hash by which a server that runs notices that its package was replaced by another of the same version (program.ts). */
async function hashOfSources(): Promise<string> {
  const paths = Array.from(new Glob("packages/*/src/**/*.ts").scanSync(ROOT)).toSorted();
  const texts = await Promise.all(paths.map((path) => Bun.file(join(ROOT, path)).text()));
  return new Bun.CryptoHasher("sha256").update(texts.join("")).digest("hex");
}

const sources = await hashOfSources();

async function pack(directory: string, manifest: object): Promise<void> {
  await Bun.write(join(directory, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await $`bun pm pack --quiet --ignore-scripts --destination ${OUT}`.cwd(directory).quiet();
}

/** Writes the type declarations of all packages below `types`; they import .js files in place of .ts. */
async function declarations(types: string): Promise<void> {
  const options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly"];
  await $`bun node_modules/typescript/bin/tsc -p tsconfig.json ${options} --rootDir . --outDir ${types}`
    .cwd(ROOT)
    .quiet();
  for (const path of new Glob("packages/*/src/**/*.d.ts").scanSync(types)) {
    const file = Bun.file(join(types, path));
    await Bun.write(file, (await file.text()).replaceAll(/(["'])(\.[^"']*)\.ts\1/g, "$1$2.js$1"));
  }
}

function copyFiles(from: string, pattern: string, to: string): void {
  for (const path of new Glob(pattern).scanSync({ cwd: from, dot: true })) {
    if (path.endsWith(".test.ts") || path.endsWith(".test.d.ts")) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(from, path), join(to, path));
  }
}

/** Copies what every package has, and returns its manifest without development dependencies. */
async function begin(name: string, directory: string) {
  const source = join(ROOT, "packages", name);
  copyFiles(source, "README.md", directory);
  copyFiles(ROOT, "LICENSE", directory);
  const { devDependencies: _, ...manifest } = await manifestOf(source);
  return { source, manifest: { ...manifest, version, sources } };
}

/** Writes what other runtimes, and bundles for them, load in place of the sources, which they cannot read: it throws. */
async function writeElsewhere(name: string, source: string, directory: string): Promise<void> {
  const names = Object.keys(await import(join(source, "src/index.ts")));
  const sentence = `@xsocket/${name} runs only on Bun ${Bun.version}: start the program with "bun FILE", and bundle it with "bun build --target=bun"`;
  const text = `export let ${names.join(", ")};\nthrow new Error(${JSON.stringify(sentence)});\n`;
  await Bun.write(join(directory, "elsewhere.js"), text);
}

async function packWorkspace(name: string, staging: string, types: string): Promise<void> {
  const directory = join(staging, name);
  const { source, manifest } = await begin(name, directory);
  copyFiles(source, "src/**/*", directory);
  copyFiles(join(types, "packages", name, "src"), "**/*.d.ts", join(directory, "types"));
  const dependencies = Object.fromEntries(
    Object.entries(manifest.dependencies ?? {}).map(([other, wanted]) => [
      other,
      wanted === "workspace:*" ? version : wanted,
    ]),
  );
  await writeElsewhere(name, source, directory);
  const exports = {
    types: "./types/index.d.ts",
    bun: "./src/index.ts",
    default: "./elsewhere.js",
  };
  await pack(directory, {
    ...manifest,
    dependencies,
    ...(name === "xbind-native" ? { optionalDependencies: natives } : {}),
    exports: { ".": exports },
    files: ["src", "types", "elsewhere.js"],
  });
}

/** The licences of the third-party modules in a bundle, whose comments name each file in it. */
async function licences(bundle: string): Promise<string> {
  const files = await Bun.file(bundle).text();
  const names = files.matchAll(/^\/\/ (node_modules\/.*\/node_modules\/(?:@[^/]*\/)?[^/]*)\//gm);
  const modules = [...new Set(Array.from(names, ([, path]) => path ?? ""))];
  const texts = modules.toSorted().map(async (path) => {
    const text = await Bun.file(join(ROOT, path, "LICENSE")).text();
    return `${path.replace(/.*node_modules\//, "")}\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join("\n\n");
}

/** Packs the command. Its dependencies are in the bundle, so it depends on the native package alone. */
async function packCommand(staging: string): Promise<void> {
  await $`sh scripts/command.sh ${COMMAND}`.cwd(ROOT).quiet();
  const directory = join(staging, "cli");
  const { source, manifest } = await begin("cli", directory);
  const { dependencies: _, ...own } = manifest;
  copyFiles(source, "bin/start.bin", directory);
  copyFiles(COMMAND, "{main.js,{compiled.js,_worker.ts}{,.jsc}}", join(directory, "lib"));
  await Bun.write(join(directory, "lib/LICENSES"), await licences(join(COMMAND, "compiled.js")));
  await pack(directory, { ...own, optionalDependencies: natives });
}

/** Builds targets by a preset, and returns the directory they are in. */
async function build(preset: string, targets: readonly string[]): Promise<string> {
  // warnings stay warnings: the compiler may be one that nobody has seen here yet
  await $`cmake --preset ${preset} -D CMAKE_COMPILE_WARNING_AS_ERROR=OFF`.cwd(ROOT).quiet();
  await $`cmake --build build/${preset} --parallel 2 --target ${targets}`.cwd(ROOT).quiet();
  return join(ROOT, `build/${preset}/packages/xbind-native`);
}

async function packPlatform(platform: Platform, staging: string): Promise<void> {
  const { name, preset, cpu, libc } = platform;
  const directory = join(staging, `native-${name}`);
  mkdirSync(directory, { recursive: true });
  const libraries = await build(preset, ["xsocket", "xbind"]);
  for (const file of LIBRARIES)
    // not the symbolic links: npm drops them
    cpSync(join(libraries, file), join(directory, file), { dereference: true });
  const launcher = await build(LAUNCHER_PRESET[cpu], [LAUNCHER]);
  cpSync(join(launcher, LAUNCHER), join(directory, LAUNCHER));
  cpSync(join(ROOT, "LICENSE"), join(directory, "LICENSE"));
  const description = `The native libraries of xsocket for ${cpu} and ${libc}`;
  const readme = `# @xsocket/native-${name}\n\n${description}, with the launcher of its command.\n\n${OPTIONAL}\n`;
  await Bun.write(join(directory, "README.md"), readme);
  await pack(directory, {
    name: `@xsocket/native-${name}`,
    version,
    description,
    license: "MIT",
    os: ["linux"],
    cpu: [cpu],
    libc: [libc],
    files: [...LIBRARIES, LAUNCHER],
  });
}

rmSync(OUT, { recursive: true, force: true });
const staging = join(OUT, "staging");
const types = join(OUT, "types");
mkdirSync(staging, { recursive: true });
await declarations(types);
for (const name of PACKAGES) await packWorkspace(name, staging, types);
await packCommand(staging);
for (const platform of PLATFORMS) await packPlatform(platform, staging);
rmSync(staging, { recursive: true });
rmSync(types, { recursive: true });
for (const name of new Glob("*.tgz").scanSync(OUT)) console.log(join(OUT, name));
