import { statSync } from "node:fs";
import { resolve } from "node:path";
import { isUrl, shellWord } from "@xsocket/protocol";
import { tried } from "@xsocket/xbind-native";
import { explanations } from "./_explanations.ts";
import type { XSocketStep } from "./error.ts";

/** What a code means at a step, and what helps. */
interface Explanation {
  readonly found: string;
  readonly remedy: string;
}

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

/* connect(2) says ECONNREFUSED for a plain file, too. */
function isNoSocket(path: string): boolean {
  return tried(() => statSync(path).isSocket()) === false;
}

/* The row of the table: one for this kind of address if there is one. */
function rowFor(rows: object, code: string, server: string): string {
  if (server.startsWith("@")) return `${code}, @name` in rows ? `${code}, @name` : code;
  const [home, url, other] = [`${code}, ~/`, `${code}, URL`, `${code}, no socket`];
  if (home in rows && server.startsWith("~/")) return home;
  if (url in rows && isUrl(server)) return url;
  return other in rows && isNoSocket(server) ? other : code;
}

/** Finds the words for a code, so that every error says what was found and what to do. */
export function explain(step: XSocketStep, code: string, server: string): Explanation {
  const named = server.startsWith("@") ? server : resolve(server);
  const rows = explanations(shellWord(named))[step] ?? {};
  const [found, remedy] = rows[rowFor(rows, code, server)] ?? [
    `${FAILING[step]} failed`,
    `See ${code} in docs/errors.md or in errno(3).`,
  ];
  return { found, remedy };
}
