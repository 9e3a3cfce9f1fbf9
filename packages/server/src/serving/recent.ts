const MAX = 64; // users

/** Values of the users, or of their accounts, that were set last. Others are forgotten: a flood comes from few users. */
export class Recent<T> {
  readonly #values = new Map<number, T>();

  get(user: number): T | undefined {
    return this.#values.get(user);
  }

  set(user: number, value: T): void {
    this.#values.delete(user);
    this.#values.set(user, value);
    if (this.#values.size <= MAX) return;
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest);
      return;
    }
  }
}
