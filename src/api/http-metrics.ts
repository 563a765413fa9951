import type { FastifyInstance } from "fastify";
import { Counter, Histogram, type Registry } from "prom-client";

/** Counts every request that reaches a route, under its pattern without the prefix. */
export function countRequests(app: FastifyInstance, registry: Registry, routePrefix: string): void {
  const registers = [registry];
  const requests = new Counter({
    name: "prometheus_http_requests_total",
    help: "Counter of HTTP requests.",
    labelNames: ["handler", "code"],
    registers,
  });
  const duration = new Histogram({
    name: "prometheus_http_request_duration_seconds",
    help: "Histogram of latencies for HTTP requests.",
    labelNames: ["handler"],
    buckets: [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120],
    registers,
  });
  const size = new Histogram({
    name: "prometheus_http_response_size_bytes",
    help: "Histogram of response size for HTTP requests.",
    labelNames: ["handler"],
    buckets: [100, 1000, 10_000, 100_000, 1e6, 1e7, 1e8, 1e9],
    registers,
  });
  const handlerOf = (pattern: string) => {
    const path = pattern.startsWith(routePrefix) ? pattern.slice(routePrefix.length) : pattern;
    return path === "/api/v1/*" ? "/api/v1/*path" : path === "" ? "/" : path;
  };
  app.addHook("onRoute", (route) => {
    requests.inc({ handler: handlerOf(route.url), code: "200" }, 0);
  });
  app.addHook("onResponse", async (request, reply) => {
    const pattern = request.routeOptions.url;
    if (pattern === undefined) return;
    const handler = handlerOf(pattern);
    requests.inc({ handler, code: String(reply.statusCode) });
    duration.observe({ handler }, reply.elapsedTime / 1000);
    const length = Number(reply.getHeader("content-length") ?? 0);
    size.observe({ handler }, Number.isFinite(length) ? length : 0);
  });
}
