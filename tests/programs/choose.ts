import type { Program } from "./program.ts";
import { programs } from "./table/index.ts";

/** All programs, or those whose names contain one of the words. */
export function choose(words: readonly string[]): readonly Program[] {
  if (words.length === 0) return programs;
  const wanted = words.map((word) => word.toLowerCase());
  return programs.filter(({ name }) => wanted.some((word) => name.toLowerCase().includes(word)));
}
