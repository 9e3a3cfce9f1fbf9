/** A span of user or group ids, both ends included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

/** The largest id there is: 2^32-1 means "unchanged" to the kernel. */
export const ID_MAX = 0xfffffffe;

/** The id that the kernel shows for every id that is unmapped in this user namespace: user_namespaces(7). */
export const NOBODY = 65_534;

/** Reads an id, or a span like `100000-165535` as subuid(5) gives them to rootless containers. */
export function parseIds(text: string): IdRange | undefined {
  const found = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text);
  if (!found) return undefined;
  const first = Number(found[1]);
  const last = Number(found[2] ?? found[1]);
  return first <= last && last <= ID_MAX ? { first, last } : undefined;
}

/** Whether an id is in one of the spans, and is not `except`. */
export function holdsId(ranges: readonly IdRange[], id: number, except?: number): boolean {
  if (id === except) return false;
  for (const range of ranges) if (id >= range.first && id <= range.last) return true;
  return false;
}

/* The index of the first of some ascending ids that is not below `id`. */
function placeOf(ids: ArrayLike<number>, id: number): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether any of some ascending ids is, by binary search: a client may have a thousand, and a rule name as many. */
export function holdsAny(
  ranges: readonly IdRange[],
  ids: ArrayLike<number>,
  except?: number,
): boolean {
  return ranges.some(({ first, last }) => {
    let at = placeOf(ids, first);
    while (at < ids.length && ids[at] === except) at++;
    return at < ids.length && (ids[at] ?? 0) <= last;
  });
}

/** Writes spans the way {@link parseIds} reads them. */
export function formatIds(ranges: readonly IdRange[]): string {
  return ranges
    .map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`))
    .join(",");
}
