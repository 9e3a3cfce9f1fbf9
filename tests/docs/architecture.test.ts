/* The tables of docs/ARCHITECTURE.md name exactly the files that exist. */
import { Glob } from "bun";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { encode, type Message } from "@xsocket/protocol";
import { ROOT, textOf } from "../harness/root.ts";

const page = textOf("docs/ARCHITECTURE.md");

/* The words in backquotes of a section's tables that have this form. */
function named(title: string, form: RegExp): string[] {
  const section = page.split(`### ${title}\n`)[1]?.split("\n##")[0] ?? "";
  const cells = section.match(/^\|.*$/gm) ?? [];
  return [...cells.join("").matchAll(/`([^`]+)`/g)]
    .map(([, word = ""]) => word)
    .filter((word) => form.test(word));
}

function filesOf(directory: string, pattern: string): string[] {
  const found = new Glob(pattern).scanSync(join(ROOT, directory));
  return [...found].filter((file) => !file.endsWith(".test.ts") && file !== "index.ts");
}

function fits(file: string, pattern: string): boolean {
  return new Glob(pattern).match(file);
}

test.each([
  ["Which file of libxbind does what", "packages/xbind-native/src/xbind", "*.c"],
  ["Which file of the client does what", "packages/client/src", "*.ts"],
  ["Which file of the command does what", "packages/cli/src", "*.ts"],
])("%s", (title, directory, pattern) => {
  const files = filesOf(directory, pattern);
  const patterns = named(title, /\.(?:c|ts)$/).filter((name) => !name.includes("/"));
  const core = filesOf("packages/xbind-native/src/core", "*.c");
  const known = [...files, ...core];
  for (const name of patterns)
    expect(
      known.some((file) => fits(file, name)),
      name,
    ).toBe(true);
  expect(files.filter((file) => !patterns.some((name) => fits(file, name)))).toEqual([]);
});

test("Which directory of the server does what", () => {
  const title = "Which directory of the server does what";
  const src = "packages/server/src";
  const directories = new Set(filesOf(src, "*/*.ts").map((file) => file.split("/")[0] ?? ""));
  expect(named(title, /^[a-z]+$/).toSorted()).toEqual([...directories].toSorted());
  const files = filesOf(src, "*/*.ts").map((file) => file.split("/").at(-1) ?? "");
  for (const name of named(title, /\.ts$/)) expect(files, name).toContain(name);
});

test("The messages", () => {
  const messages: readonly Message[] = [
    { kind: "request", domain: 2, type: 1, protocol: 0 },
    { kind: "response", error: 0 },
    { kind: "status-request" },
    { kind: "status-response", json: new Uint8Array() },
  ];
  const said = page.matchAll(/^\| \S.* \| (\d+)(?: \+ JSON)? +\| `0x(\w+)` "(\w+)"/gm);
  expect([...said].map(([, bytes, number, letters]) => [Number(bytes), number, letters])).toEqual(
    messages.map((message) => {
      const bytes = encode(message);
      const signature = bytes.subarray(0, 4);
      return [bytes.byteLength, signature.toHex(), new TextDecoder().decode(signature)];
    }),
  );
});
