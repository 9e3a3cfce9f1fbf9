import { readdirSync } from "node:fs";
import { textOf } from "./root.ts";

/** The vectors of a kind, by name, as hexadecimal digits. */
export function vectors(kind: string): [name: string, hex: string][] {
  const names = readdirSync(`${import.meta.dir}/../vectors`).filter((name) =>
    name.startsWith(kind),
  );
  if (names.length === 0) throw new Error(`there are no vectors ${kind}`);
  return names.map((name) => {
    const text = textOf(`tests/vectors/${name}`);
    return [name, text.replaceAll(/#.*$/gm, "").replaceAll(/\s/g, "")];
  });
}
