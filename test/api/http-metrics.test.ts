import { describe, expect, test } from "vitest";
import { createApp } from "../../src/api/app.ts";
import type { QueryAnswer } from "../../src/api/query-tasks.ts";
import { apiOptions, fakePorts } from "../support/fake-ports.ts";

describe("the metrics of HTTP", () => {
  test.each([1, 300])("count each of %i requests by the time they are read", async (count) => {
    const { ports } = fakePorts({});
    const app = await createApp(ports, { ...apiOptions, routePrefix: "/under" });
    for (let i = 0; i < count; i++) {
      await app.inject({ url: "/under/api/v1/labels" });
      await app.inject({ url: "/under/api/v1/query?query=broken(" });
    }
    const page = (await ports.metrics.registry.metrics()).split("\n");
    const value = (series: string) =>
      Number(page.find((line) => line.startsWith(`${series} `))?.split(" ")[1]);
    const labels = 'handler="/api/v1/labels"';
    expect(value(`prometheus_http_requests_total{${labels},code="200"}`)).toBe(count);
    expect(value('prometheus_http_requests_total{handler="/api/v1/query",code="400"}')).toBe(count);
    expect(value('prometheus_http_requests_total{handler="/api/v1/query",code="200"}')).toBe(0);
    expect(value(`prometheus_http_request_duration_seconds_count{${labels}}`)).toBe(count);
    const body = '{"status":"success","data":[]}';
    expect(value(`prometheus_http_response_size_bytes_sum{${labels}}`)).toBe(count * body.length);
    expect(value(`prometheus_http_response_size_bytes_bucket{le="100",${labels}}`)).toBe(count);
  });
});

describe("an answer that is there at once", () => {
  const answer: QueryAnswer = { status: 422, parts: [Buffer.from('{"status":"error"}')], report: null };

  test("goes out as others do", async () => {
    const { ports, tasks } = fakePorts({});
    const app = await createApp(
      { ...ports, queries: { ...ports.queries, answerAtOnce: () => answer } },
      apiOptions,
    );
    const response = await app.inject({ url: "/api/v1/query?query=up" });
    expect(response.statusCode).toBe(422);
    expect(response.body).toBe('{"status":"error"}');
    expect(response.headers).toMatchObject({ "content-type": "application/json", "content-length": "18" });
    expect(tasks).toEqual([]);
  });
});
