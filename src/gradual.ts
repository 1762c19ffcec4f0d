/**
 * Work in pieces, so that something else can be seen to in between: a generator that yields after each piece, some
 * thousandths of a second long, and returns what it made.
 */
export type Pieces<T> = Generator<void, T>;

/** Does all of it at once. */
export function finished<T>(pieces: Pieces<T>): T {
  return new Gradual(pieces).value;
}

/** Work that is done piece by piece while there is time, and to the end by whoever needs what it makes. */
export class Gradual<T> {
  readonly #pieces: Pieces<T>;
  #outcome: { readonly value: T } | { readonly error: unknown } | undefined;

  constructor(pieces: Pieces<T>) {
    this.#pieces = pieces;
  }

  /** Does a piece; false when there is none left. */
  step(): boolean {
    if (this.#outcome !== undefined) return false;
    try {
      const { done, value } = this.#pieces.next();
      if (done === true) this.#outcome = { value };
    } catch (error) {
      this.#outcome = { error };
      throw error;
    }
    return true;
  }

  get value(): T {
    while (this.#outcome === undefined) this.step();
    if ("error" in this.#outcome) throw this.#outcome.error;
    return this.#outcome.value;
  }
}
