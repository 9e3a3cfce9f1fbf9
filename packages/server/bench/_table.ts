/** Prints columns, the first three to the left. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  for (const row of all)
    console.log(
      row
        .map((cell, i) => (i < 3 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    );
  console.log();
}

export function us(value: number): string {
  return `${value.toFixed(1)} us`;
}

export function mb(value: number): string {
  return `${value.toFixed(1)} MB`;
}

export function perSecond(value: number): string {
  return Math.round(value).toLocaleString("en");
}
