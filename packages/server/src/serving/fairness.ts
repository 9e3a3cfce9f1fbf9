const SHARE = 4; // turns

/**
 * Shares the turns of a crowded step among users. Connections are served in the order in which they are
 * ready, so if one user had thousands that ask all the time, the others would wait for all of these.
 */
export class Fairness {
  readonly #taken = new Map<number, number>(); // turns of each account
  readonly #isAlone: (account: number) => boolean;
  #isCrowded = false;

  /** @param isAlone tells whether all connections are of one account, which then makes nobody wait */
  constructor(isAlone: (account: number) => boolean) {
    this.#isAlone = isAlone;
  }

  /** Begins a step. */
  begin(isCrowded: boolean): void {
    this.#isCrowded = isCrowded;
    if (this.#taken.size > 0) this.#taken.clear();
  }

  /** Takes a turn for a user's account. Returns whether there was one left. */
  take(account: number): boolean {
    if (!this.#isCrowded || this.#isAlone(account)) return true;
    const taken = this.#taken.get(account) ?? 0;
    this.#taken.set(account, taken + 1);
    return taken < SHARE;
  }
}
