import { expect, test } from "bun:test";
import { TABLE } from "../../client/src/_explanations.ts";
import { plainWords } from "./explain.ts";

test("plainWords removes the SDK's own terms from the remedies", () => {
  const remedies = ["reach", "ask", "bind"] as const;
  const texts = remedies.flatMap((step) =>
    Object.values(TABLE[step] ?? {}).map(([, text]) => text),
  );
  expect(texts.length).toBeGreaterThan(10);
  const wrong = texts
    .map((text) => plainWords(text))
    .filter((text) => /\bvia\b|timeoutMs|Session/.test(text));
  expect(wrong).toEqual(["Make a new Session, or close it later."]); // which the command has none of
});
