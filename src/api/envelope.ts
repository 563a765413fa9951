import type { ApiError } from "./api-error.ts";
import { JsonBytes } from "./json-bytes.ts";

const MAX_ANNOTATIONS = 10;

/** Prometheus's envelope around data written by `writeData`, with what the client should know besides. */
export function successEnvelope(
  writeData: (out: JsonBytes) => void,
  warnings: readonly string[] = [],
  infos: readonly string[] = [],
): Uint8Array[] {
  const out = new JsonBytes();
  out.ascii(`{"status":"success","data":`);
  writeData(out);
  if (warnings.length > 0) out.ascii(`,"warnings":`).json(atMostTen(warnings, "warning"));
  if (infos.length > 0) out.ascii(`,"infos":`).json(atMostTen(infos, "info"));
  out.ascii("}");
  return out.finish();
}

function atMostTen(annotations: readonly string[], kind: "warning" | "info"): string[] {
  const shown = annotations.slice(0, MAX_ANNOTATIONS);
  const omitted = annotations.length - shown.length;
  if (omitted > 0) shown.push(`${omitted} more ${kind} annotations omitted`);
  return shown;
}

export function errorEnvelope(error: ApiError): Uint8Array[] {
  return [
    Buffer.from(
      JSON.stringify({ status: "error", errorType: error.errorType, error: error.message }),
      "utf8",
    ),
  ];
}
