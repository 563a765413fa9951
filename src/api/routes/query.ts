import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../api-error.ts";
import {
  durationParam,
  limitParam,
  MAX_TIME_MS,
  MIN_TIME_MS,
  optionalTimeParam,
  Params,
  parseDurationParam,
  timeParam,
} from "../params.ts";
import type { ApiOptions, Ports, QueryOrigin, QueryPort } from "../ports.ts";
import type { InstantQueryTask, QueryTask, RangeQueryTask } from "../query-tasks.ts";
import { acceptedCoding, sendParts } from "../responses.ts";

const MAX_POINTS_PER_SERIES = 11_000;

/** Of routes that go by `answerTask`: their answers are compressed where they are made, or by `sendParts`. */
export const ANSWERED_BY_TASK = { config: { needsReady: true, packsItself: true } } as const;

export function queryRoutes(app: FastifyInstance, ports: Ports, options: ApiOptions): void {
  const route = (url: string, readTask: (params: Params) => QueryTask): void => {
    app.route({
      method: ["GET", "POST"],
      url,
      ...ANSWERED_BY_TASK,
      handler: (request, reply) => answerTask(ports.queries, request, reply, readTask(paramsOf(request))),
    });
  };
  route("/api/v1/query", (params) => instantTask(params, options));
  route("/api/v1/query_range", (params) => rangeTask(params));
  route("/api/v1/query_explain", (params) => ({
    kind: "explain",
    task: params.get("step") === "" ? instantTask(params, options) : rangeTask(params),
    run: params.get("run") !== "false",
  }));
  route("/api/v1/query_exemplars", (params) => {
    const startMs = optionalTimeParam(params, "start", MIN_TIME_MS);
    const endMs = optionalTimeParam(params, "end", MAX_TIME_MS);
    if (endMs < startMs) throw new ApiError("bad_data", "end timestamp must not be before start timestamp");
    return { kind: "exemplars", query: params.get("query"), startMs, endMs };
  });
  route("/api/v1/format_query", (params) => ({ kind: "format", query: params.get("query") }));
  route("/api/v1/parse_query", (params) => ({ kind: "parse", query: params.get("query") }));
}

export function paramsOf(request: FastifyRequest): Params {
  return Params.read(request.url, typeof request.body === "string" ? request.body : null);
}

/** Sends the answer to a task, in this turn where it can be had at once. */
export function answerTask(
  queries: QueryPort,
  request: FastifyRequest,
  reply: FastifyReply,
  task: QueryTask,
): Promise<FastifyReply> | undefined {
  const path = request.url.split("?", 1)[0]!;
  const origin = { clientIP: request.ip, method: request.method, path };
  const mayGzip = acceptedCoding(request.headers["accept-encoding"]) === "gzip";
  const answer = queries.answerAtOnce(task, origin, mayGzip);
  if (answer === null) return runTask(queries, reply, task, origin, mayGzip);
  sendParts(reply, answer.status, answer.parts, answer.isGzipped);
  return undefined;
}

/** Hands the task to a query thread; a client that goes away takes its query along. */
async function runTask(
  queries: QueryPort,
  reply: FastifyReply,
  task: QueryTask,
  origin: QueryOrigin,
  mayGzip: boolean,
): Promise<FastifyReply> {
  const gone = new AbortController();
  const onClose = () => {
    if (!reply.raw.writableFinished) gone.abort();
  };
  reply.raw.once("close", onClose);
  const answer = await queries.run(task, origin, gone.signal, mayGzip);
  reply.raw.off("close", onClose);
  return sendParts(reply, answer.status, answer.parts, answer.isGzipped);
}

// The order of the checks is Prometheus's: limit, times, timeout, lookback; the query's own errors come last.

function instantTask(params: Params, { now }: ApiOptions): InstantQueryTask {
  const limit = limitParam(params);
  const timeMs = optionalTimeParam(params, "time", now());
  return { kind: "instant", timeMs, ...commonOptions(params, limit) };
}

function rangeTask(params: Params): RangeQueryTask {
  const limit = limitParam(params);
  const startMs = timeParam(params, "start");
  const endMs = timeParam(params, "end");
  if (endMs < startMs) throw ApiError.invalidParameter("end", "end timestamp must not be before start time");
  const stepMs = durationParam(params, "step");
  if (stepMs <= 0) {
    throw ApiError.invalidParameter(
      "step",
      "zero or negative query resolution step widths are not accepted. Try a positive integer",
    );
  }
  if (Math.floor((endMs - startMs) / stepMs) > MAX_POINTS_PER_SERIES) {
    throw new ApiError(
      "bad_data",
      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    );
  }
  return { kind: "range", startMs, endMs, stepMs, ...commonOptions(params, limit) };
}

function commonOptions(params: Params, limit: number) {
  const timeoutMs = params.get("timeout") === "" ? null : durationParam(params, "timeout");
  let lookbackMs: number | null = null;
  if (params.get("lookback_delta") !== "") {
    try {
      lookbackMs = parseDurationParam(params.get("lookback_delta"));
    } catch (cause) {
      throw new ApiError("bad_data", `error parsing lookback delta duration: ${(cause as Error).message}`);
    }
  }
  return { query: params.get("query"), timeoutMs, limit, lookbackMs, stats: params.get("stats") };
}
