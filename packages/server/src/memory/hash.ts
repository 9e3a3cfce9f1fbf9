/** Makes a secret for hashUser(): with it, nobody can aim at the rows of somebody else. */
export function hashSeed(): number {
  return crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
}

/**
 * Spreads users over the rows of a table, evenly in all bits.
 *
 * @param index tells apart several rows of one user
 * @returns 0 to 2³² - 1
 */
export function hashUser(uid: number, seed: number, index = 0): number {
  const mixed = Math.imul(uid ^ seed, 0x9e3779b1) ^ Math.imul(index, 0x85ebca6b);
  const spread = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return (spread ^ (spread >>> 13)) >>> 0;
}
