/* Links between the pages lead somewhere, and the files that they name are there. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const IGNORED = /(?:^|\/)(?:node_modules|build)\//;

const pages = [...new Bun.Glob("**/*.md").scanSync(ROOT)].filter((page) => !IGNORED.test(page));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const withoutBlocks = (text: string): string => text.replaceAll(/^```[^]*?^```$/gm, "");

/* A heading's anchor, as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

function anchors(page: string): string[] {
  const headings = withoutBlocks(read(page)).matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = ""]) => anchor(heading));
}

test.each(pages)("the links of %s", (page) => {
  const links = withoutBlocks(read(page)).matchAll(/\]\(([^)\s]+)\)/g);
  for (const [, link = ""] of links) {
    if (/^[a-z]+:/.test(link)) continue; // elsewhere
    const [path = "", part] = link.split("#");
    const target = path === "" ? page : join(dirname(page), path);
    expect(existsSync(join(ROOT, target)), `${link} of ${page}`).toBe(true);
    if (part !== undefined) expect(anchors(target), `${link} of ${page}`).toContain(part);
  }
});

/* A path below the repository's own directories; a glob or a placeholder is none. */
const NAMED = /`((?:docs|packages|packaging|scripts|tests|python)\/[\w./@-]+)`/g;

test.each(pages)("the files that %s names", (page) => {
  for (const [, path = ""] of read(page).matchAll(NAMED))
    expect(existsSync(join(ROOT, path)), `${path} of ${page}`).toBe(true);
});
