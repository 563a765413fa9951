import { pino, type DestinationStream, type Logger } from "pino";

export type { Logger };
export type LogFormat = "logfmt" | "json";

/**
 * The server's log, in Prometheus's two shapes. Written synchronously: a line said before a crash is there after it.
 *
 * @param destination where lines go; standard error by default, as Prometheus writes it
 */
export function createLogger(options: {
  readonly level: string;
  readonly format: LogFormat;
  readonly destination?: DestinationStream;
}): Logger {
  const sink = options.destination ?? { write: (line: string) => void process.stderr.write(line) };
  const base = {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label.toUpperCase() }) },
    serializers: { err: describeError, error: describeError },
  };
  if (options.format === "json") return pino(base, sink);
  return pino(base, { write: (line: string) => void sink.write(toLogfmt(line)) });
}

/** An error with its causes, on one line: people read logs, stacks are for the debug level. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (!(error.cause instanceof Error)) return error.message;
  const cause = String(describeError(error.cause));
  // Most messages tell of the cause already.
  return error.message.includes(error.cause.message) ? error.message : `${error.message}: ${cause}`;
}

/** `time=… level=INFO msg="…" key=value …`, from the JSON line pino made. */
function toLogfmt(jsonLine: string): string {
  const { time, level, msg, ...fields } = JSON.parse(jsonLine) as Record<string, unknown>;
  const pairs = [`time=${String(time)}`, `level=${String(level)}`, `msg=${quote(String(msg ?? ""))}`];
  for (const [key, value] of Object.entries(fields)) {
    pairs.push(`${key}=${quote(typeof value === "string" ? value : JSON.stringify(value))}`);
  }
  return `${pairs.join(" ")}\n`;
}

function quote(text: string): string {
  return /^[^\s"=\\]+$/.test(text) ? text : JSON.stringify(text);
}
