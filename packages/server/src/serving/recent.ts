const MAX = 64; // accounts

/** Values of the accounts that were asked about last. Others are forgotten: a flood comes from few accounts. */
export class Recent<T> {
  readonly #values = new Map<number, T>();

  get(account: number): T | undefined {
    return this.#values.get(account);
  }

  set(account: number, value: T): void {
    this.#values.delete(account);
    this.#values.set(account, value);
    if (this.#values.size <= MAX) return;
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest);
      return;
    }
  }
}
