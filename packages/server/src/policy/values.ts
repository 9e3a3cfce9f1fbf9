/** A table of TOML, whose values are not checked yet. */
export type Table = Readonly<Record<string, unknown>>;

/** Answers whether a value of TOML is a table. */
export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Takes one word or number, or a list of them, as words; undefined for anything else, an empty list included. */
export function words(value: unknown): string[] | undefined {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const found = list.filter((item) => typeof item === "string" || typeof item === "number");
  return found.length === list.length && list.length > 0 ? found.map(String) : undefined;
}
