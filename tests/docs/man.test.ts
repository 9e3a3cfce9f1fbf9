import { expect, test } from "bun:test";
import { join } from "node:path";
import { manPage } from "../../packages/cli/man.ts";
import { here, ROOT, textOf } from "../harness/index.ts";

const MAN = "docs/man";
const PAGES = ["xsocket.1", "xsocket.3", "xbind.7", "xsocket.service.8"];

test("xsocket(1) is what man.ts generates from the options and defaults of the code", async () => {
  const page = textOf(`${MAN}/xsocket.1`);
  expect(page, "run: ./dev bun packages/cli/man.ts").toBe(await manPage());
});

test.each(PAGES)("mandoc finds no fault in %s", async (page) => {
  const { stdout } = await here.run(["mandoc", "-T", "lint", join(ROOT, MAN, page)]);
  // a page may refer to pages that this machine lacks
  const lines = stdout
    .split("\n")
    .filter((line) => line && !line.includes("referenced manual not found"));
  expect(lines).toEqual([]);
});
