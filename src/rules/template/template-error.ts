/** A template can't be parsed or executed; the message is the one Go gives, with its place. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}
