import type { FastifyInstance } from "fastify";
import { ApiError } from "../api-error.ts";
import { unescapeLabelName } from "../label-name-escaping.ts";
import { limitParam, MAX_TIME_MS, MIN_TIME_MS, optionalTimeParam, type Params } from "../params.ts";
import type { Ports } from "../ports.ts";
import { ANSWERED_BY_TASK, answerTask, paramsOf } from "./query.ts";

/** Series and labels: which there are, no samples. */
export function seriesRoutes(app: FastifyInstance, ports: Ports): void {
  app.route({
    method: ["GET", "POST"],
    url: "/api/v1/series",
    ...ANSWERED_BY_TASK,
    handler: (request, reply) => {
      const params = paramsOf(request);
      params.requireWellFormed();
      const matches = params.getAll("match[]");
      if (matches.length === 0) throw new ApiError("bad_data", "no match[] parameter provided");
      return answerTask(ports.queries, request, reply, { kind: "series", ...lookup(params), matches });
    },
  });
  app.route({
    method: ["GET", "POST"],
    url: "/api/v1/labels",
    ...ANSWERED_BY_TASK,
    handler: (request, reply) =>
      answerTask(ports.queries, request, reply, { kind: "labelNames", ...lookup(paramsOf(request)) }),
  });
  app.get<{ Params: { name: string } }>("/api/v1/label/:name/values", ANSWERED_BY_TASK, (request, reply) => {
    const name = unescapeLabelName(request.params.name);
    if (name === "") throw new ApiError("bad_data", `invalid label name: ${JSON.stringify(name)}`);
    return answerTask(ports.queries, request, reply, {
      kind: "labelValues",
      name,
      ...lookup(paramsOf(request)),
    });
  });
}

function lookup(params: Params) {
  const limit = limitParam(params);
  const startMs = optionalTimeParam(params, "start", MIN_TIME_MS);
  const endMs = optionalTimeParam(params, "end", MAX_TIME_MS);
  return { matches: params.getAll("match[]"), startMs, endMs, limit };
}
