/** A password, token or key. It prints as `<secret>` wherever it is shown; only `reveal` gives the text. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  get isEmpty(): boolean {
    return this.#text === "";
  }

  toString(): string {
    return this.#text === "" ? "" : HIDDEN;
  }

  toJSON(): string {
    return this.toString();
  }

  /** What console.log and test reports show. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** What stands in dumps in place of a secret. */
export const HIDDEN = "<secret>";
