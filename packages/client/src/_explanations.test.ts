import { expect, test } from "bun:test";

/* In a process of its own, which says that it is the command. */
const AS_COMMAND = `
  import { speakForCommand } from "@xsocket/xbind-native";
  import { explanations } from "./_explanations.ts";
  speakForCommand();
  const { reach, ask, bind } = explanations("/s");
  console.log([reach, ask, bind].flatMap((rows) => Object.values(rows).map(([, text]) => text)).join("\\n"));`;

test("the command's remedies have none of the SDK's own terms", () => {
  const argv = [process.execPath, "--eval", AS_COMMAND];
  const { stdout } = Bun.spawnSync(argv, { cwd: import.meta.dir });
  const texts = stdout.toString().trimEnd().split("\n");
  expect(texts.length).toBeGreaterThan(10);
  const wrong = texts.filter((text) => /\bvia\b|timeoutMs|Session/.test(text));
  expect(wrong).toEqual(["Make a new Session, or close it later."]); // which the command has none of
});
