import {
  boolean,
  choice,
  duration,
  field,
  float,
  record,
  section,
  text,
  type ValueOf,
} from "./config-type.ts";
import { tlsConfig } from "./http-client.ts";

const RESERVED_HEADERS = new Set([
  "content-encoding",
  "content-length",
  "content-type",
  "user-agent",
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "www-authenticate",
  "accept-encoding",
]);

export const tracingConfig = section(
  "config.plain",
  {
    clientType: field(
      choice(
        ["grpc", "http"],
        (value) => `expected tracing client type to be to be http or grpc, but got ${value}`,
      ),
      "grpc",
    ),
    endpoint: field(text, ""),
    samplingFraction: field(float, 0),
    insecure: field(boolean, false),
    tlsConfig: field(tlsConfig, tlsConfig.schema.parse({})),
    headers: field(record(text), {}),
    compression: field(
      choice(["", "gzip"], (value) => `invalid compression type ${value} provided, valid options: gzip`),
      "",
    ),
    timeout: field(duration, 0),
  },
  ({ endpoint, headers }, report) => {
    if (endpoint === "") report("tracing endpoint must be set");
    for (const name of Object.keys(headers)) {
      if (name.toLowerCase() === "authorization") {
        report("custom authorization header configuration is not yet supported", ["headers", name]);
      } else if (RESERVED_HEADERS.has(name.toLowerCase())) {
        report(`${name} is a reserved header. It must not be changed`, ["headers", name]);
      }
    }
  },
);

export type TracingConfig = ValueOf<typeof tracingConfig>;
