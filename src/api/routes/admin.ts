import type { FastifyInstance } from "fastify";
import { ApiError } from "../api-error.ts";
import { MAX_TIME_MS, MIN_TIME_MS, optionalTimeParam, parseGoBoolean } from "../params.ts";
import type { Ports } from "../ports.ts";
import { sendData } from "../responses.ts";
import { paramsOf } from "./query.ts";

/** Deleting and copying data, allowed only where the server was started with `--web.enable-admin-api`. */
export function adminRoutes(app: FastifyInstance, { admin }: Ports): void {
  const method = ["POST", "PUT"];
  const config = { needsReady: true };
  const requireEnabled = () => {
    if (!admin.isEnabled) throw new ApiError("unavailable", "admin APIs disabled");
  };
  app.route({
    method,
    url: "/api/v1/admin/tsdb/delete_series",
    config,
    handler: async (request, reply) => {
      requireEnabled();
      const params = paramsOf(request);
      params.requireWellFormed();
      const matches = params.getAll("match[]");
      if (matches.length === 0) throw new ApiError("bad_data", "no match[] parameter provided");
      const startMs = optionalTimeParam(params, "start", MIN_TIME_MS);
      const endMs = optionalTimeParam(params, "end", MAX_TIME_MS);
      await admin.deleteSeries(matches, startMs, endMs);
      return reply.code(204).send();
    },
  });
  app.route({
    method,
    url: "/api/v1/admin/tsdb/clean_tombstones",
    config,
    handler: async (_request, reply) => {
      requireEnabled();
      await admin.cleanTombstones();
      return reply.code(204).send();
    },
  });
  app.route({
    method,
    url: "/api/v1/admin/tsdb/snapshot",
    config,
    handler: async (request, reply) => {
      requireEnabled();
      const text = paramsOf(request).get("skip_head");
      let skipHead = false;
      if (text !== "") {
        try {
          skipHead = parseGoBoolean(text);
        } catch (cause) {
          throw ApiError.invalidParameter(
            "skip_head",
            `unable to parse boolean: ${(cause as Error).message}`,
          );
        }
      }
      return sendData(reply, { name: await admin.snapshot(skipHead) });
    },
  });
}
