/** A query text that is no PromQL. The message begins with the place: `1:5: parse error: unexpected <by>`. */
export class ParseError extends Error {
  override readonly name = "ParseError";

  /**
   * @param text the whole query
   * @param offset where the fault lies, in bytes of UTF-8
   * @param reason what is wrong, without the place
   */
  constructor(
    text: string,
    readonly offset: number,
    readonly reason: string,
  ) {
    super(`${place(text, offset)}: parse error: ${reason}`);
  }
}

/** LINE:COLUMN of a byte offset, both from 1, columns counted in bytes. */
function place(text: string, offset: number): string {
  if (text === "") return "unknown position";
  const bytes = Buffer.from(text);
  let line = 1;
  let lineStart = 0;
  const end = Math.min(offset, bytes.length);
  for (
    let newline = bytes.indexOf(10);
    newline >= 0 && newline < end;
    newline = bytes.indexOf(10, lineStart)
  ) {
    line++;
    lineStart = newline + 1;
  }
  return `${line}:${offset - lineStart + 1}`;
}
