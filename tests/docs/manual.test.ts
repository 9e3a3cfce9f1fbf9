/* The variables, defaults, limits, grammar and units of the manual pages are those of the code. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { libraryPath, NOT_YET } from "@xsocket/xbind-native";
import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import { MisuseError } from "../../packages/cli/src/errors.ts";
import { portWords } from "../../packages/cli/src/ports.ts";
import { DEFAULT_TIMEOUT_MS } from "../../packages/client/src/_deadline.ts";
import { here, ROOT, textOf } from "../harness/index.ts";
import { numbersFrom } from "../harness/numbers.ts";

const NATIVE = "packages/xbind-native/src";

/* A page as its reader sees it, with single spaces. */
async function rendered(page: string): Promise<string> {
  const { stdout } = await here.run(["mandoc", "-T", "ascii", join(ROOT, "docs/man", page)]);
  // oxlint-disable-next-line no-control-regex -- how a teletype writes bold and underlined
  const overstruck = /.\u0008/g;
  return stdout.replaceAll(overstruck, "").replaceAll(/\s+/g, " ");
}

function sources(...directories: string[]): string {
  const files = directories.flatMap((directory) =>
    [...new Bun.Glob("*.[ch]").scanSync(join(ROOT, NATIVE, directory))].map((file) =>
      textOf(join(NATIVE, directory, file)),
    ),
  );
  return files.join("\n");
}

/* The variables that the C sources read, by secure_getenv(3) or config.c's wrapper of it. */
function asked(...directories: string[]): string[] {
  const names = sources(...directories).matchAll(/\b(?:secure_getenv|variable)\("([A-Z_]+)"/g);
  return [...new Set([...names].map(([, name]) => name ?? ""))].toSorted();
}

/* The variables of a page's section ENVIRONMENT. */
function documented(page: string): string[] {
  const [, text = ""] = textOf(`docs/man/${page}`).split(".Sh ENVIRONMENT\n");
  const [list = ""] = text.split("\n.Sh ");
  return [...list.matchAll(/^\.It Ev ([A-Z_]+)$/gm)].map(([, name]) => name ?? "").toSorted();
}

/* The value of a constant of the C sources. */
function constant(name: string): string {
  const found = new RegExp(`^#define ${name} +"?([^"\\s]+)"?`, "m");
  const value = found.exec(sources("core", "xbind", "xsocket"))?.[1];
  if (value === undefined) throw new Error(`there is no constant ${name}`);
  return value;
}

describe("the variables of", () => {
  test("xsocket(3) are those of the library", () => {
    expect(documented("xsocket.3")).toEqual(asked("core", "xsocket"));
  });

  test("xbind(7) are those of the library", () => {
    expect(documented("xbind.7")).toEqual(asked("core", "xbind"));
  });
});

test("xsocket(1) lists exactly the variables of the command and of what it uses", () => {
  const files = [
    ...new Bun.Glob("packages/{cli,client,server,xbind-native}/src/**/*.ts").scanSync(ROOT),
  ];
  const inTypeScript = files
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap(
      (file) => textOf(file).match(/(?<=process\.env\["|process\.env\.|\benv\[")X[A-Z_]+/g) ?? [],
    );
  const inLauncher = [...sources("launch").matchAll(/"(X[A-Z_]+)=?["%]/g)].map(
    ([, name]) => name ?? "",
  );
  const names = new Set([...asked("core"), ...inTypeScript, ...inLauncher, "NO_COLOR"]);
  names.delete("XSOCKET_RUN_PRELOAD"); // only from the launcher to its Bun
  expect(documented("xsocket.1")).toEqual([...names].toSorted());
});

/* Text of each page, with the names of constants in place of their values. */
const SAID: readonly (readonly [page: string, words: string])[] = [
  ["xsocket.3", "The default is HANDOVER_WAIT_MS, which"],
  ["xsocket.3", "ADDRESS_DEFAULT The control socket if path is NULL."],
  ["xbind.7", "in milliseconds; HANDOVER_WAIT_MS by default."],
  ["xbind.7", "The default is ADDRESS_DEFAULT."],
  ["xbind.7", "in up to EPOLLSET_MOVE_MAX sets."],
  ["xbind.7", "in more than EPOLLSET_MOVE_MAX epoll sets"],
  ["xbind.7", "for up to EPOLLRECORD_FDS descriptors and EPOLLRECORD_SETS sets for each"],
  ["xbind.7", "holds OPTRECORD_COUNT options of sockets that are not bound yet"],
  ["xbind.7", "OPTRECORD_LARGE of which may be longer than OPTRECORD_BYTES bytes"],
  ["xbind.7", "more than OPTRECORD_LOST sockets at a time have had"],
  ["xbind.7", "under a descriptor of KEPT_FD_MIN or above"],
  ["xbind.7", "up to EXPLICIT_SOCKETS that were shut for writing"],
  ["xbind.7", "MOVED_SOCKETS that have moved"],
  ["xsocket.1", "in milliseconds; HANDOVER_WAIT_MS by default."],
  ["xsocket.service.8", "on the control socket ADDRESS_DEFAULT."],
];

test.each(SAID)("%s says: %s", async (page, words) => {
  const wanted = words.replaceAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g, constant);
  expect(await rendered(page)).toContain(wanted);
});

test("xbind(7) names the options without which bind fails", () => {
  const [, text = ""] = textOf("docs/man/xbind.7").split("Security-relevant ones");
  const [paragraph = ""] = text.split("\n.Ss ");
  const rows = sources("xbind").matchAll(/^ROW\(\w+, +\d+, +(\w+),.*\bSAFETY\b/gm);
  const names = new Set([...rows].map(([, name = ""]) => name));
  expect(names.size).toBeGreaterThan(20);
  // described in words, or by a common part of several names
  const inWords = /_POLICY$|^ATTACH_|^RECORDS$|^AO_|^MD5SIG_EXT$/;
  const isNamed = (name: string) => new RegExp(`^\\.Dv [A-Z\\d]+_${name}\\b`, "m").test(paragraph);
  expect([...names].filter((name) => !inWords.test(name) && !isNamed(name))).toEqual([]);
});

test("xbind(7) names the calls that the library hooks", () => {
  const listed = textOf(join(NATIVE, "xbind/exports.map")).matchAll(/^\t\t(\w+);$/gm);
  // the others are no calls of a program's source, or another form of one
  const names = [...listed]
    .map(([, name = ""]) => name)
    .filter((name) => !/^_|^libxbind_|_af$/.test(name));
  expect(names).toContain("bind");
  const page = textOf("docs/man/xbind.7");
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
});

test("C and TypeScript have the same constants", () => {
  expect(constant("ADDRESS_DEFAULT")).toBe(DEFAULT_ADDRESS);
  expect(constant("HANDOVER_WAIT_MS")).toBe(String(DEFAULT_TIMEOUT_MS));
  expect(constant("HANDOVER_E_NOT_YET")).toBe(`(${NOT_YET})`);
  const [, room] = /^#define PLAN_BYTES +\((.*?)\)/m.exec(sources("launch")) ?? [];
  expect(textOf("packages/cli/src/plan.ts")).toContain(`\nconst BYTES_MAX = ${room};\n`);
});

test.each(["docs/errors.md", "packages/xbind-native/include/xsocket.h", "python/xsocket.py"])(
  "%s has the default timeout",
  (path) => {
    expect(textOf(path)).toMatch(new RegExp(`\\b${constant("HANDOVER_WAIT_MS")}\\b`));
  },
);

/* The grammar of xbind(7), rule by rule. */
function grammar(): Map<string, string> {
  const [, block = ""] = /^list {6}= ([\s\S]*?)^\.Ed$/m.exec(textOf("docs/man/xbind.7")) ?? [];
  const lines = `list = ${block}`.replaceAll(/;.*$/gm, "").trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [name = "", expression = ""] = line.split(/ += /);
      return [name, expression];
    }),
  );
}

const SPACES: Readonly<Record<string, string>> = {
  tab: "\t",
  newline: "\n",
  VT: "\v",
  FF: "\f",
  CR: "\r",
};

/* Makes a text of the grammar, with `pick` for each choice. Ports are made without their rules. */
function made(rules: Map<string, string>, expression: string, pick: (count: number) => number) {
  const parts = expression.split(/ \/ (?![^[(]*[\])])/);
  const tokens = (parts[pick(parts.length)] ?? "").match(/\*\(.*\)|\[.*?\]|"[^"]*"|\S+/g) ?? [];
  const texts: string[] = tokens.map((token) => {
    if (token.startsWith("*("))
      return Array.from({ length: pick(4) }, () => made(rules, token.slice(2, -1), pick)).join("");
    if (token.startsWith("[")) return pick(2) === 0 ? "" : made(rules, token.slice(1, -1), pick);
    if (token.startsWith('"')) return token.slice(1, -1);
    if (token in SPACES) return SPACES[token] ?? "";
    if (token === "port") return String(pick(65_536));
    const rule = rules.get(token);
    if (rule === undefined) throw new Error(`the grammar has no ${token}`);
    return made(rules, rule, pick);
  });
  return texts.join("");
}

/* What the library prints about a list when it is loaded. */
async function loaded(list: string): Promise<string> {
  const env = { LD_PRELOAD: libraryPath("xbind"), XBIND: list };
  const { stderr } = await here.run(["/bin/true"], { env });
  return stderr;
}

describe("the grammar of xbind(7)", () => {
  test("makes lists that the library and the command accept", async () => {
    const rules = grammar();
    expect([...rules.keys()]).toContain("ports");
    const pick = numbersFrom(1); // the same lists at every run
    for (let round = 0; round < 60; round++) {
      const list = made(rules, "list", pick);
      // the grammar does not exclude falling ranges and two words that publish a port differently
      const said = (await loaded(list)).split("\n").filter((line) => !line.includes("publish"));
      const falls = [...list.matchAll(/(\d+)-(\d+)/g)].some(([, a, b]) => Number(a) > Number(b));
      if (falls) continue;
      expect(said, list).toEqual([""]);
      if (/[^\s,]/.test(list)) expect(portWords([list]), list).not.toBeEmpty();
    }
  });

  test("covers the page's examples, which are accepted, and other words are reported", async () => {
    const examples = [...textOf("docs/man/xbind.7").matchAll(/^\.It Li (\S+)$/gm)];
    expect(examples.length).toBeGreaterThan(5);
    for (const [, word = ""] of examples) expect(await loaded(word), word).toBe("");
    for (const [, word = ""] of examples) expect(portWords([word])).toEqual([word]);
    const others = "http tcp/ sctp/53 65536 8000- 9-8 1-65536 1:2:3 tcp/udp/53 *:1 +1 -1 1.5 0x10";
    for (const word of others.split(" ")) {
      expect(await loaded(word), word).toMatch(/^[^\n]+\n$/);
      expect(() => portWords([word]), word).toThrow(MisuseError);
    }
  });
});

describe("xsocket.service(8)", () => {
  const page = textOf("docs/man/xsocket.service.8");
  const directory = join(ROOT, "packaging/systemd");

  test("names the units that are installed, and no others", () => {
    const [head = ""] = page.split(".Nd ");
    const named = [...head.matchAll(/^\.Nm (\S+)/gm)].map(([, name]) => name ?? "");
    const units = readdirSync(directory).filter((name) => name.endsWith(".in"));
    expect(named.toSorted()).toEqual(units.map((name) => name.replace(/\.in$/, "")).toSorted());
  });

  test("names the control socket of each", () => {
    for (const [unit, path] of [
      ["xsocket.service", "%t/xsocket/default"],
      ["xsocket.socket", "%t/xsocket/default"],
      ["xsocket@.service", "%t/xsocket-%i/default"],
      ["xsocket@.socket", "%t/xsocket-%i/default"],
      ["xsocket-restricted@.service", "%t/xsocket-restricted-%i/default"],
    ] as const) {
      expect(textOf(`packaging/systemd/${unit}.in`)).toContain(path);
      const instance = unit.includes("restricted") ? "NAME" : "NETNS";
      const shown = path.replace("%t", "/run").replace("%i", instance);
      expect(page).toContain(`.It Pa ${shown}\n`);
    }
  });

  test("names the user, the capability and the directory of the server", () => {
    expect(page).toMatch(/belongs to the user xsocket, has mode 0710/);
    expect(textOf("packaging/systemd/xsocket.sysusers")).toMatch(/^u xsocket /m);
    const lifetime = textOf("packaging/systemd/lifetime.conf");
    for (const line of [
      "User=xsocket",
      "RuntimeDirectoryMode=0710",
      "RuntimeDirectoryPreserve=yes",
    ])
      expect(lifetime).toContain(`\n${line}\n`);
    const hardening = textOf("packaging/systemd/hardening.conf");
    const [, capability] = /^CapabilityBoundingSet=(.*)$/m.exec(hardening) ?? [];
    expect(page).toContain(`.Dv ${capability} ,`);
  });

  test("has the drop-in of docs/systemd.md", () => {
    const [, dropIn = ""] = /\.Bd -literal -offset indent\n([\s\S]*?)\.Ed/.exec(page) ?? [];
    const shown = dropIn.trim().replace("u:serviceuser:x", "u:NAME:x");
    expect(textOf("docs/systemd.md")).toContain(`\`\`\`\n${shown}\n\`\`\``);
  });
});
