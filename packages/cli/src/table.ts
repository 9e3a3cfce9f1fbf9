/** Lays rows out in columns, two spaces between them and none at the end of a line. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) => line(row, widths)).join("\n");
}

function line(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
  return cells.join("  ").trimEnd();
}
