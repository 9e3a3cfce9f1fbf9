import type { Asked, Asker } from "../src/policy/match.ts";
import { FAMILIES, numberOf, PROTOCOLS, TYPES } from "../src/policy/names.ts";

/** A client, in no other groups than these. */
export function asker(uid: number, gid = uid, groups: number[] = []): Asker {
  return { uid, gid, groups: () => groups };
}

/** A request in the words of the manual pages, for example "inet stream tcp". */
export function ask(words: string): Asked {
  const [family = "", type = "", protocol = "0"] = words.split(" ");
  return {
    kind: "socket",
    domain: numberOf(FAMILIES, family) ?? -1,
    type: numberOf(TYPES, type) ?? -1,
    protocol: numberOf(PROTOCOLS, protocol) ?? -1,
  };
}
