/* Control characters could move the cursor, forge a line, or end one, and those of bidirectional text
   could make the rest of a line read otherwise. */
const CONTROL = /[\p{Cc}\p{Bidi_C}\p{Zl}\p{Zp}]/gu;

/** Makes text that came from somebody else safe for a terminal and a log of lines. */
export function escapeText(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** Makes JSON safe for a terminal as well, which obeys some of what JSON leaves as it is. */
export function escapeJson(json: string): string {
  return json.replaceAll(
    CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
