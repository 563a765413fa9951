import type { FastifyInstance } from "fastify";
import { AnchoredRegexp } from "../../model/regexp.ts";
import { ApiError } from "../api-error.ts";
import { parseGoInteger } from "../params.ts";
import type { Ports } from "../ports.ts";
import { sendData } from "../responses.ts";
import { paramsOf } from "./query.ts";

const DEFAULT_TSDB_LIMIT = 10;
const MAX_TSDB_LIMIT = 10_000;

export function statusRoutes(app: FastifyInstance, { status, metrics }: Ports): void {
  const config = { needsReady: true };
  app.get("/api/v1/status/config", { config }, (_request, reply) =>
    sendData(reply, { yaml: status.config() }),
  );
  app.get("/api/v1/status/flags", { config }, (_request, reply) => sendData(reply, status.flags()));
  app.get("/api/v1/status/buildinfo", { config }, (_request, reply) => sendData(reply, status.buildInfo));
  app.get("/api/v1/status/runtimeinfo", { config }, async (_request, reply) =>
    sendData(reply, await status.runtimeInfo()),
  );
  app.get("/api/v1/status/tsdb", { config }, async (request, reply) => {
    const text = paramsOf(request).get("limit");
    let limit = DEFAULT_TSDB_LIMIT;
    if (text !== "") {
      try {
        limit = parseGoInteger(text);
      } catch {
        limit = 0;
      }
      if (limit < 1) throw ApiError.invalidParameter("limit", "limit must be a positive number");
      if (limit > MAX_TSDB_LIMIT)
        throw ApiError.invalidParameter("limit", `limit must not exceed ${MAX_TSDB_LIMIT}`);
    }
    return sendData(reply, await status.tsdb(limit));
  });
  app.get("/api/v1/status/tsdb/blocks", { config }, async (_request, reply) =>
    sendData(reply, { blocks: await status.blocks() }),
  );
  app.get("/api/v1/status/walreplay", (_request, reply) => sendData(reply, status.walReplay()));
  app.get("/api/v1/status/self_metrics", { config }, async (request, reply) => {
    const pattern = paramsOf(request).get("metric_name_pattern");
    let compiled: AnchoredRegexp | null = null;
    if (pattern !== "") {
      try {
        compiled = AnchoredRegexp.compile(pattern);
      } catch (cause) {
        throw new ApiError("bad_data", `invalid metric_name_pattern: ${(cause as Error).message}`);
      }
    }
    return sendData(reply, await metrics.families(compiled));
  });
  app.get("/api/v1/features", { config }, (_request, reply) => sendData(reply, status.features()));
  app.get("/version", (_request, reply) =>
    reply.type("text/plain; charset=utf-8").send(`${JSON.stringify(status.buildInfo)}\n`),
  );
}
