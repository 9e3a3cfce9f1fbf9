import { statSync } from "node:fs";
import { resolve } from "node:path";
import { isUrl, shellWord } from "@xsocket/protocol";
import { tried } from "@xsocket/xbind-native";
import { type Explanation, explanations } from "./_explanations.ts";
import type { XSocketStep } from "./error.ts";

/* What failed, for a code that has no row. */
const FAILING: Record<XSocketStep, string> = {
  options: "using an argument",
  reach: "connecting to the server",
  ask: "asking the server",
  resolve: "looking up the host name",
  bind: "bind",
  listen: "listen",
  connect: "connect",
  adopt: "giving the socket to Bun",
};

/* The kinds of address for which a code may have a row of its own. connect(2) says ECONNREFUSED for a plain file, too. */
const KINDS: readonly (readonly [name: string, is: (server: string) => boolean])[] = [
  ["@name", (server) => server.startsWith("@")],
  ["~/", (server) => server.startsWith("~/")],
  ["URL", isUrl],
  ["no socket", (server) => tried(() => statSync(server).isSocket()) === false],
];

/** Finds the words for a code, so that every error says what was found and what to do. */
export function explain(step: XSocketStep, code: string, server: string): Explanation {
  const named = server.startsWith("@") ? server : resolve(server);
  const rows = explanations(shellWord(named))[step] ?? {};
  const own = KINDS.find(([name, is]) => `${code}, ${name}` in rows && is(server));
  const words = rows[own ? `${code}, ${own[0]}` : code];
  return words ?? [`${FAILING[step]} failed`, `See ${code} in docs/errors.md or in errno(3).`];
}
