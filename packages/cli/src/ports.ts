import { MisuseError } from "./errors.ts";

/** Highest port number: they are 16 bits wide. */
export const PORT_MAX = 65535;
/* One word of XBIND, as xbind/portlist.h writes its grammar. */
const WORD = /^(?:(?:tcp|udp)\/)?(?:\*|(\d+)|(\d+)-(\d+)|(\d+):(\d+))$/;

function isPortWord(word: string): boolean {
  const found = WORD.exec(word);
  if (!found) return false;
  const [, , first, last] = found;
  if (found.some((digits) => Number(digits) > PORT_MAX)) return false;
  return first === undefined || Number(first) <= Number(last);
}

/**
 * Reads what --port was given as the words of XBIND.
 *
 * @throws {MisuseError} for a word that libxbind could not read
 */
export function portWords(given: readonly string[]): string[] {
  const found = given.flatMap((text) => text.split(/[\s,]+/)).filter((word) => word !== "");
  const wrong = found.find((word) => !isPortWord(word));
  if (wrong !== undefined || found.length === 0)
    throw new MisuseError(
      `"${wrong ?? given.join(" ")}" is not a port: give a number up to ${PORT_MAX}, a range 8000-8100, tcp/53, udp/53, 8080:3000, or "*"`,
    );
  return found;
}

/** The types of socket that the ports of an XBIND are for. */
export function typesOf(xbind: string): ("stream" | "dgram")[] {
  const listed = xbind.split(/[\s,]+/);
  const types: ("stream" | "dgram")[] = [];
  if (listed.some((word) => !word.startsWith("udp/"))) types.push("stream");
  if (listed.some((word) => !word.startsWith("tcp/"))) types.push("dgram");
  return types;
}
