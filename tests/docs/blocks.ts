import { textOf } from "../harness/root.ts";

/** A block of code in a page. */
interface Block {
  /** The word behind the fence; empty for a block that is indented, or fenced without one. */
  readonly language: string;
  readonly code: string;
}

const FENCED = /^```(\w*)\n([^]*?)^```$/gm;
const INDENTED = /(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+/g;

/** Every block of a page below the repository's root, fenced or indented. */
export function blocksOf(page: string): Block[] {
  const text = textOf(page);
  const fenced = [...text.matchAll(FENCED)].map(([, language = "", code = ""]) => ({
    language,
    code,
  }));
  const indented = [...text.replaceAll(FENCED, "").matchAll(INDENTED)].map(([block]) => ({
    language: "",
    code: block.replaceAll(/^ {4}/gm, ""),
  }));
  return [...fenced, ...indented];
}
