import { expect, test } from "bun:test";
import { shellWord } from "./shell-word.ts";

test("a shell reads each quoted path as it was given", () => {
  const paths = [
    "/run/x",
    "@name",
    "a b",
    "it's o'clock",
    "~",
    "~root/x",
    "$HOME",
    "*",
    "a;b",
    "é\n",
    "-n",
  ];
  const words = paths.map(shellWord).join(" ");
  const { stdout } = Bun.spawnSync(["sh", "-c", `printf '%s\\0' ${words}`]);
  expect(stdout.toString().split("\0").slice(0, -1)).toEqual(paths);
  expect(shellWord("/run/x")).toBe("/run/x"); // not quoted without need
});
