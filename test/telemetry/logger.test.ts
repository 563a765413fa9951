import { expect, test } from "vitest";
import { createLogger } from "../../src/telemetry/logger.ts";

test("an error is told with its causes, each once", () => {
  const lines: string[] = [];
  const log = createLogger({
    level: "info",
    format: "logfmt",
    destination: { write: (line: string) => void lines.push(line) },
  });
  const cause = new Error("no such file");
  log.error({ err: new Error("cannot load p.yml", { cause }) }, "failed");
  log.error({ err: new Error(`cannot load p.yml: ${cause.message}`, { cause }) }, "failed");
  const told = 'level=ERROR msg=failed err="cannot load p.yml: no such file"\n';
  expect(lines.map((line) => line.replace(/^time=\S+ /, ""))).toEqual([told, told]);
});
