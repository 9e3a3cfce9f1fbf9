/* The links between the pages, and the files that the pages name. */
import { expect, test } from "bun:test";
import { cpSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT, tempDir, textOf } from "../harness/index.ts";
import { succeed } from "../harness/install.ts";

const IGNORED = /(?:^|\/)(?:node_modules|build)\//;

const pages = [...new Bun.Glob("**/*.md").scanSync(ROOT)].filter((page) => !IGNORED.test(page));
const withoutBlocks = (text: string): string => text.replaceAll(/^```[^]*?^```$/gm, "");

/* A heading's anchor, as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

function anchors(page: string, root: string): string[] {
  const headings = withoutBlocks(textOf(page, root)).matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = ""]) => anchor(heading));
}

function checkLinks(page: string, root = ROOT): void {
  const links = withoutBlocks(textOf(page, root)).matchAll(/\]\(([^)\s]+)\)/g);
  for (const [, link = ""] of links) {
    if (/^[a-z]+:/.test(link)) continue; // elsewhere
    const [path = "", part] = link.split("#");
    const target = path === "" ? page : join(dirname(page), path);
    expect(existsSync(join(root, target)), `${link} of ${page}`).toBe(true);
    if (part !== undefined) expect(anchors(target, root), `${link} of ${page}`).toContain(part);
  }
}

test.each(pages)("the links of %s lead to files and headings that exist", (page) =>
  checkLinks(page),
);

test("the links of the pages in the Debian package lead to files and headings that exist", async () => {
  using dir = tempDir();
  const env = { SOURCE_DATE_EPOCH: "0" };
  await succeed(["sh", "scripts/package-doc.sh", dir.path], { env, cwd: ROOT });
  const installed = dir.join("installed"); // as packaging/CMakeLists.txt lays them
  cpSync(dir.join("pages"), installed, { recursive: true });
  cpSync(dir.join("copyright"), join(installed, "copyright"));
  const packaged = [...new Bun.Glob("**/*.md").scanSync(installed)];
  expect(packaged).toContain("README.md");
  for (const page of packaged) checkLinks(page, installed);
});

/* A path below the repository's own directories; a glob or a placeholder is none. */
const NAMED = /`((?:docs|packages|packaging|scripts|tests|python)\/[\w./@-]+)`/g;

test.each(pages)("the files that %s names exist", (page) => {
  for (const [, path = ""] of textOf(page).matchAll(NAMED))
    expect(existsSync(join(ROOT, path)), `${path} of ${page}`).toBe(true);
});
