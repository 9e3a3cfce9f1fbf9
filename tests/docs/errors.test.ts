/* docs/errors.md and the manual pages name exactly the codes that the sources can give. */
import { describe, expect, test } from "bun:test";
import { ROOT, textOf } from "../harness/root.ts";
import { EXIT } from "../../packages/cli/src/errors.ts";

/* The text below a heading of docs/errors.md, up to the next one. */
function section(title: string): string {
  const [, text] = textOf("docs/errors.md").split(new RegExp(`^## ${title}.*$`, "m"));
  if (text === undefined) throw new Error(`docs/errors.md has no "${title}"`);
  return text.split(/^## /m)[0] ?? "";
}

/* The first column of the tables in a text. */
function codes(text: string): string[] {
  const found = [...text.matchAll(/^\| ([A-Z_\d]+) +\|/gm)].map(([, code]) => code ?? "");
  return [...new Set(found)].toSorted();
}

/* The errnos that a manual page lists. */
function listed(page: string): string[] {
  const found = [...textOf(`docs/man/${page}`).matchAll(/^\.It Bq Er (\w+)$/gm)];
  return [...new Set(found.map(([, code]) => code ?? ""))].toSorted();
}

function matches(pattern: RegExp, ...globs: string[]): Set<string> {
  const files = globs.flatMap((glob) => Array.from(new Bun.Glob(glob).scanSync(ROOT)));
  expect(files).not.toBeEmpty();
  return new Set(
    files.flatMap((file) => [...textOf(file).matchAll(pattern)].map(([, code = ""]) => code)),
  );
}

/* A result of a C function: "return -EX", or behind "?", ":" or "=", but not a comparison. */
const C_RESULT = /(?:return|[^=!<>]=|[?:]) -(E[A-Z\d]+)\b/g;

/* Results that do not leave the library, and why. */
const INTERNAL: Readonly<Record<string, string>> = {
  EADDRINUSE: "the kernel's own answer, with which a search for a reserved port begins",
  EBADF: "a number that dup3(2) does not take, nor with a higher limit of open files",
  EEXIST: "epoll_ctl(2) says it of what is in the set already as without the library",
  EFAULT: "a bad address is left to the kernel, which says the same",
  EIO: "a libc that fails without an errno",
  ENOSYS: "a libc without the call, which then nobody can call",
  ENOTCONN: "no connection is kept: a new one is made",
  ESRCH: "a set does not hold the descriptor: nothing is to be moved",
};

describe("docs/errors.md has", () => {
  test("the exit codes", () => {
    expect(codes(section("The command"))).toEqual(Object.values(EXIT).map(String).toSorted());
  });

  test("the results of the C sources, which the manual pages list too", () => {
    const [shared = "", own = ""] = section("C: ").split("Only under libxbind:");
    expect(listed("xsocket.3")).toEqual(codes(shared));
    expect(listed("xbind.7")).toEqual(codes(shared + own));
    const given = matches(C_RESULT, "packages/xbind-native/src/{core,xbind}/*.c");
    const known = new Set([...codes(shared), ...codes(own), ...Object.keys(INTERNAL)]);
    expect([...given.difference(known)]).toEqual([]);
    expect(Object.keys(INTERNAL).filter((code) => !given.has(code))).toEqual([]);
  });

  test("the reasons why libxbind leaves a socket alone", () => {
    const given = matches(
      /\b(?:leave|log_left)\([^";]*"([^"]+)"/g,
      "packages/xbind-native/src/xbind/*.c",
    );
    const rows = section("C: ").matchAll(/\bleft alone: ([^|,]*[^|, ])/g);
    expect([...rows].map(([, why = ""]) => why).toSorted()).toEqual([...given].toSorted());
  });

  test("the errors that the server answers with", () => {
    const given = matches(
      /(?:#(?:fail|refuse)\([^)]*|return |[?:] )errno\.(E[A-Z]+)/g,
      "packages/server/src/serving/{admission,answer,judge}.ts",
    );
    expect(codes(section("What the server answers"))).toEqual([...given].toSorted());
  });

  test.each([
    ["The server, when it starts", "packages/server/src/error.ts"],
    ["The protocol package", "packages/protocol/src/error.ts"],
  ])("under %p the codes of %s", (title, source) => {
    const declared = [...matches(/^ {2}\| "([A-Z_]+)"/gm, source)];
    expect(codes(section(title))).toEqual(declared.toSorted());
  });
});
