/** One thing wrong with a configuration file. */
export interface ConfigProblem {
  readonly file: string;
  /** Both from 1; 0 where the file as a whole is meant, which the message then names. */
  readonly line: number;
  readonly column: number;
  /** Such as `scrape_configs[0].scrape_interval`; "" for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** A configuration that can't be used. The message has a line for every problem found, in the file's order. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(
    readonly problems: readonly ConfigProblem[],
    options?: ErrorOptions,
  ) {
    super(problems.map(formatProblem).join("\n"), options);
  }
}

function formatProblem({ file, line, column, path, message }: ConfigProblem): string {
  // What is wrong with a file as a whole names it already.
  if (line === 0) return message;
  const place = `${file}:${line}:${column}`;
  return path === "" ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}
