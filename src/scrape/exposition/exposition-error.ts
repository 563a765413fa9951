/** A page that does not keep to its format: the scrape fails, nothing of it is stored. */
export class ExpositionError extends Error {
  override readonly name = "ExpositionError";
}
