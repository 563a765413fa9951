import type { FastifyInstance } from "fastify";
import { Counter, Histogram, type Registry } from "prom-client";

/**
 * Requests are added up when the metrics are read, and at the latest when there are so many: one by one that takes as
 * long as a tenth of a small request, for its code and data have left the caches each time.
 */
const MOST_PENDING = 256;

interface Answered {
  readonly handler: string;
  readonly code: number;
  readonly seconds: number;
  readonly bytes: number;
}

/** Counts every request that reaches a route, under its pattern without the prefix. */
export function countRequests(app: FastifyInstance, registry: Registry, routePrefix: string): void {
  const registers = [registry];
  const pending: Answered[] = [];
  const collect = () => {
    for (const { handler, code, seconds, bytes } of pending.splice(0)) {
      requests.inc({ handler, code: String(code) });
      duration.observe({ handler }, seconds);
      size.observe({ handler }, bytes);
    }
  };
  const requests = new Counter({
    name: "prometheus_http_requests_total",
    help: "Counter of HTTP requests.",
    labelNames: ["handler", "code"],
    registers,
    collect,
  });
  const duration = new Histogram({
    name: "prometheus_http_request_duration_seconds",
    help: "Histogram of latencies for HTTP requests.",
    labelNames: ["handler"],
    buckets: [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120],
    registers,
    collect,
  });
  const size = new Histogram({
    name: "prometheus_http_response_size_bytes",
    help: "Histogram of response size for HTTP requests.",
    labelNames: ["handler"],
    buckets: [100, 1000, 10_000, 100_000, 1e6, 1e7, 1e8, 1e9],
    registers,
    collect,
  });
  const handlers = new Map<string, string>();
  app.addHook("onRoute", ({ url }) => {
    const path = url.startsWith(routePrefix) ? url.slice(routePrefix.length) : url;
    const handler = path === "/api/v1/*" ? "/api/v1/*path" : path === "" ? "/" : path;
    handlers.set(url, handler);
    requests.inc({ handler, code: "200" }, 0);
  });
  app.addHook("onResponse", (request, reply, done) => {
    const handler = handlers.get(request.routeOptions.url ?? "");
    if (handler !== undefined) {
      const length = Number(reply.getHeader("content-length") ?? 0);
      pending.push({
        handler,
        code: reply.statusCode,
        seconds: reply.elapsedTime / 1000,
        bytes: Number.isFinite(length) ? length : 0,
      });
      if (pending.length >= MOST_PENDING) collect();
    }
    done();
  });
}
