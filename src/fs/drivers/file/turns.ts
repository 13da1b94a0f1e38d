/** Who changes a path next: one at a time, in the order of asking. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(path: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(path) ?? Promise.resolve()).then(work, work);
    this.#last.set(path, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(path) === turn) this.#last.delete(path);
    }
  }
}
