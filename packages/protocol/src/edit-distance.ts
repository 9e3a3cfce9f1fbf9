/**
 * How many letters have to be changed, added, taken away or swapped with the next one to make one
 * word of the other. Rows of the table are those of `from`, the last two of which are kept.
 */
export function editDistance(from: string, to: string): number {
  let above: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const changed = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      const swapped = from[i] === to[j - 1] && from[i - 1] === to[j] ? above[j - 1] : undefined;
      next.push(
        Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, 1 + (swapped ?? Infinity)),
      );
    }
    [above, row] = [row, next];
  }
  return row.at(-1) ?? 0;
}
