import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const read = (path: string): string => readFileSync(join(import.meta.dir, path), "utf8");

/* The type of a C parameter, as syscalls.ts names it. */
function typeOf(parameter: string): string {
  if (parameter.startsWith("const char *")) return "text";
  if (parameter === "void *start") return "long"; // the address of a mapping, a number for JavaScript
  if (parameter.includes("*")) return "pointer";
  if (parameter.startsWith("uint64_t ")) return "long";
  return parameter.startsWith("unsigned ") ? "unsigned" : "int";
}

/* Each function as `name(types) result`. */
function declared(): string[] {
  const functions = read("xsocket/private.h").matchAll(/^(\w+) (xs1_\w+)\(([^)]*)\);/gm);
  return [...functions].map(([, result = "", name, list = ""]) => {
    const parameters = list === "void" ? [] : list.split(/,\s*/);
    const returns = result === "double" ? "FFIType.f64" : result;
    return `${name}(${parameters.map(typeOf).join(", ")}) ${returns}`;
  });
}

function bound(): string[] {
  const rows = read("syscalls.ts").matchAll(
    /symbol: "(xs1_\w+)",\s+args: \[([^\]]*)\],\s+returns: ([\w.]+)/g,
  );
  return [...rows].map(([, name, args, returns]) => `${name}(${args}) ${returns}`);
}

test("syscalls.ts binds exactly the functions of private.h, with the same types", () => {
  expect(bound().length).toBeGreaterThan(40);
  expect(bound().toSorted()).toEqual(declared().toSorted());
});
