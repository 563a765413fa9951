import { gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createApp } from "../../src/api/app.ts";
import type { RuleGroupBody } from "../../src/api/types.ts";
import { apiOptions, fakePorts } from "../support/fake-ports.ts";

async function get(url: string, over: Parameters<typeof fakePorts>[0] = {}, options = apiOptions) {
  const { ports, tasks } = fakePorts(over);
  const app = await createApp(ports, options);
  const response = await app.inject({ method: "GET", url });
  return { response, tasks };
}

describe("parameters of a query", () => {
  test("come from the URL, times in seconds become milliseconds", async () => {
    const { tasks } = await get(
      "/api/v1/query_range?query=up&start=100.5&end=2001-09-09T01:46:40Z&step=90000000",
    );
    expect(tasks[0]).toMatchObject({
      kind: "range",
      startMs: 100_500,
      endMs: 1_000_000_000_000,
      stepMs: 9e10,
    });
  });

  test("have durations in seconds that are cut to the nanosecond first and to the millisecond then", async () => {
    const { tasks } = await get("/api/v1/query_range?query=up&start=0&end=9&step=1.025&timeout=0.57");
    expect(tasks[0]).toMatchObject({ stepMs: 1024, timeoutMs: 570 });
  });

  test("come from a posted form first, from the URL else", async () => {
    const { ports, tasks } = fakePorts({});
    const app = await createApp(ports, apiOptions);
    await app.inject({
      method: "POST",
      url: "/api/v1/query?query=from_url&time=5",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      payload: "query=from_body%2B1",
    });
    expect(tasks[0]).toMatchObject({ kind: "instant", query: "from_body+1", timeMs: 5000 });
  });

  test("come from forms of several parts too, files left aside", async () => {
    const { ports, tasks } = fakePorts({});
    const app = await createApp(ports, apiOptions);
    const part = (head: string, body: string) =>
      `--b x\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
    const payload =
      part('name="query"', 'up{a="é&;\r\n"}') +
      part('name="time"; filename="f"', "1") +
      part("name=timeout", "5s") +
      "--b x--\r\nend";
    await app.inject({
      method: "POST",
      url: "/api/v1/query?time=7",
      headers: { "content-type": 'multipart/form-data; charset=x; boundary="b x"' },
      payload,
    });
    expect(tasks[0]).toMatchObject({ query: 'up{a="é&;\r\n"}', timeMs: 7000, timeoutMs: 5000 });
  });

  test.each(["text/plain", "application/json", "application/x-protobuf", "", "rubbish", "a/b; c"])(
    "are not looked for in a body of type %j",
    async (type) => {
      const { ports, tasks } = fakePorts({});
      const app = await createApp(ports, apiOptions);
      const response = await app.inject({
        method: "POST",
        url: "/api/v1/query?query=from_url",
        headers: { "content-type": type },
        payload: "query=from_body",
      });
      expect(response.statusCode).toBe(200);
      expect(tasks[0]).toMatchObject({ query: "from_url" });
    },
  );

  test("default the time to now", async () => {
    const { tasks } = await get("/api/v1/query?query=up");
    expect(tasks[0]).toMatchObject({ timeMs: apiOptions.now() });
  });

  test.each([
    [
      "query?query=up&time=2023-02-30T00:00:00Z",
      `invalid parameter "time": invalid time value for 'time': cannot parse "2023-02-30T00:00:00Z" to a valid timestamp`,
    ],
    [
      "query?query=up&time=2023-02-28T24:00:00Z",
      `invalid parameter "time": invalid time value for 'time': cannot parse "2023-02-28T24:00:00Z" to a valid timestamp`,
    ],
    [
      "query?query=up&time=yesterday",
      `invalid parameter "time": invalid time value for 'time': cannot parse "yesterday" to a valid timestamp`,
    ],
    ["query_range?query=up&end=1&step=1", `invalid parameter "start": cannot parse "" to a valid timestamp`],
    [
      "query_range?query=up&start=2&end=1&step=1",
      `invalid parameter "end": end timestamp must not be before start time`,
    ],
    [
      "query_range?query=up&start=1&end=2&step=0",
      `invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer`,
    ],
    [
      "query_range?query=up&start=0&end=11001&step=1",
      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    ],
    ["query?query=up&limit=-1", `invalid parameter "limit": limit must be non-negative`],
    ["query?query=up&limit=x", `invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax`],
    ["query?query=up&timeout=soon", `invalid parameter "timeout": cannot parse "soon" to a valid duration`],
    [
      "query?query=up&lookback_delta=soon",
      `error parsing lookback delta duration: cannot parse "soon" to a valid duration`,
    ],
    ["series", "no match[] parameter provided"],
    ["status/tsdb?limit=0", `invalid parameter "limit": limit must be a positive number`],
    ["rules?type=magic", `invalid parameter "type": not supported value "magic"`],
    ["rules?match[]=%7B", "1:2: parse error: unexpected end of input inside braces"],
    ["rules?match[]=%7B%7D", "match[] must contain at least one non-empty matcher"],
    [
      "targets/metadata?match_target=%7B",
      `invalid parameter "match_target": 1:2: parse error: unexpected end of input inside braces`,
    ],
    [
      "targets/relabel_steps?scrapePool=p&labels=[]",
      "error parsing labels: json: not an object whose values are strings",
    ],
    ["series?match[]=up&a;b", "error parsing form values: invalid semicolon separator in query"],
    ["series?match[]=up&a=%zz&b;c", `error parsing form values: invalid URL escape "%zz"`],
    ["label/%ffé%c3%a9/values", `invalid label name: "\\xff\u00e9\u00e9"`],
  ])("that are wrong are refused: %s", async (url, message) => {
    const { response } = await get(`/api/v1/${url}`);
    expect(response.json()).toEqual({ status: "error", errorType: "bad_data", error: message });
    expect(response.statusCode).toBe(400);
  });

  test("allow exactly 11,000 steps", async () => {
    const { response } = await get("/api/v1/query_range?query=up&start=0&end=11000&step=1");
    expect(response.statusCode).toBe(200);
  });
});

describe("a server that is not ready", () => {
  test("answers 503 on gated routes and says whether it is stopping", async () => {
    const { response } = await get("/api/v1/query?query=up", { lifecycle: { state: "stopping" } });
    expect(response.statusCode).toBe(503);
    expect(response.headers["x-prometheus-stopping"]).toBe("true");
    expect(response.body).toBe("Service Unavailable");
  });

  test("is healthy all the same", async () => {
    const { response } = await get("/-/healthy", { lifecycle: { state: "starting" } });
    expect([response.statusCode, response.body]).toEqual([200, "Prometheus Server is Healthy.\n"]);
  });
});

describe("a path that is no route", () => {
  test("gives 404 in plain text", async () => {
    const { response } = await get("/api/v1/nothing");
    expect([response.statusCode, response.body]).toEqual([404, "404 page not found\n"]);
  });

  test("gives 405 with the verbs when only the verb is wrong", async () => {
    const { ports } = fakePorts({});
    const app = await createApp(ports, apiOptions);
    const response = await app.inject({ method: "DELETE", url: "/api/v1/query" });
    expect([response.statusCode, response.headers.allow]).toEqual([405, "GET, OPTIONS, POST"]);
  });

  test("is found again without its empty and dot segments", async () => {
    const { response } = await get("//api/./v1/x/..//labels?a=//");
    expect([response.statusCode, response.headers.location]).toEqual([301, "/api/v1/labels?a=//"]);
  });

  test("that holds escapes of no text is a bad request", async () => {
    const { response } = await get("/api/%ff");
    expect([response.statusCode, response.body]).toEqual([400, "400 Bad Request"]);
  });

  test("redirects when only a slash or the case is off", async () => {
    const { response } = await get("/API/v1/Query/?query=up");
    expect([response.statusCode, response.headers.location]).toEqual([301, "/api/v1/query?query=up"]);
  });
});

describe("the route prefix", () => {
  test("moves every route, and bare / leads to it", async () => {
    const options = { ...apiOptions, routePrefix: "/prom", externalPath: "/prom" };
    expect((await get("/prom/-/healthy", {}, options)).response.statusCode).toBe(200);
    expect((await get("/-/healthy", {}, options)).response.statusCode).toBe(404);
    expect((await get("/", {}, options)).response.headers.location).toBe("/prom");
  });
});

describe("cross-origin requests", () => {
  test("are allowed for every origin by default", async () => {
    const { ports } = fakePorts({});
    const app = await createApp(ports, apiOptions);
    const response = await app.inject({ url: "/api/v1/labels", headers: { origin: "http://example.test" } });
    expect(response.headers["access-control-allow-origin"]).toBe("*");
  });
});

describe("label values", () => {
  test("take a name in values escaping", async () => {
    const { tasks } = await get("/api/v1/label/U__http_2e_code/values");
    expect(tasks[0]).toMatchObject({ kind: "labelValues", name: "http.code" });
  });
});

describe("lifecycle routes", () => {
  test("are forbidden unless enabled", async () => {
    const { ports } = fakePorts({ lifecycle: { isEnabled: false } });
    const app = await createApp(ports, apiOptions);
    const response = await app.inject({ method: "POST", url: "/-/reload" });
    expect([response.statusCode, response.body]).toEqual([403, "Lifecycle API is not enabled."]);
  });

  test("say why a reload failed", async () => {
    const reload = async () => {
      throw new Error("no such file");
    };
    const { ports } = fakePorts({ lifecycle: { reload } });
    const app = await createApp(ports, apiOptions);
    const response = await app.inject({ method: "POST", url: "/-/reload" });
    expect([response.statusCode, response.body]).toEqual([500, "failed to reload config: no such file\n"]);
  });
});

describe("admin routes", () => {
  test("are unavailable unless enabled", async () => {
    const { ports } = fakePorts({ admin: { isEnabled: false } });
    const app = await createApp(ports, apiOptions);
    const response = await app.inject({ method: "POST", url: "/api/v1/admin/tsdb/snapshot" });
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ errorType: "unavailable", error: "admin APIs disabled" });
  });
});

describe("rule groups", () => {
  const group = (name: string): RuleGroupBody => ({
    name,
    file: "a.yml",
    interval: 60,
    limit: 0,
    evaluationTime: 0,
    lastEvaluation: "0001-01-01T00:00:00Z",
    rules: [
      {
        type: "recording",
        name: `record_${name}`,
        query: "up",
        labels: {},
        health: "ok",
        evaluationTime: 0,
        lastEvaluation: "0001-01-01T00:00:00Z",
      },
    ],
  });
  const ruleGroups = ["a", "b", "c"].map(group);

  test("come in pages, each with the token of the next", async () => {
    const first = (await get("/api/v1/rules?group_limit=2", { ruleGroups })).response.json().data;
    expect(first.groups.map((one: RuleGroupBody) => one.name)).toEqual(["a", "b"]);
    const url = `/api/v1/rules?group_limit=2&group_next_token=${first.groupNextToken}`;
    const second = (await get(url, { ruleGroups })).response.json().data;
    expect(second.groups.map((one: RuleGroupBody) => one.name)).toEqual(["c"]);
    expect(second.groupNextToken).toBeUndefined();
  });

  test("are filtered by the labels of rules: any of several selectors will do", async () => {
    const labelled = ruleGroups.map((one, i) => ({
      ...one,
      rules: one.rules.map((rule) => ({ ...rule, labels: i === 2 ? {} : { severity: `s${i}` } })),
    }));
    const names = async (query: string) => {
      const { response } = await get(`/api/v1/rules?${query}`, { ruleGroups: labelled });
      return response.json().data.groups.map((one: RuleGroupBody) => one.name);
    };
    expect(await names(`match[]=${encodeURIComponent('{severity="s0"}')}`)).toEqual(["a"]);
    expect(await names(`match[]=${encodeURIComponent('{severity=~"s.+"}')}`)).toEqual(["a", "b"]);
    expect(await names("match[]=up")).toEqual([]);
    const [first, second] = ['{severity="s1"}', '{severity=~"s[05]"}'].map(encodeURIComponent);
    expect(await names(`match[]=${first}&match[]=${second}`)).toEqual(["a", "b"]);
    expect(await names(`match[]=${first}&rule_name[]=record_a`)).toEqual([]);
  });

  test("are filtered by rule name, empty groups left out", async () => {
    const body = (await get("/api/v1/rules?rule_name[]=record_b", { ruleGroups })).response.json();
    expect(body.data.groups.map((one: RuleGroupBody) => one.name)).toEqual(["b"]);
  });
});

describe("an answer that a query thread compressed", () => {
  test("is sent as it is, and says so", async () => {
    const { ports } = fakePorts({});
    const asked: boolean[] = [];
    const run = async (_task: unknown, _origin: unknown, _signal: unknown, mayGzip: boolean) => {
      asked.push(mayGzip);
      return { status: 200, parts: [gzipSync("[]")], isGzipped: true, report: null };
    };
    const app = await createApp({ ...ports, queries: { ...ports.queries, run } }, apiOptions);
    const ask = (acceptEncoding: string) =>
      app.inject({ url: "/api/v1/query?query=up", headers: { "accept-encoding": acceptEncoding } });
    const response = await ask("gzip");
    expect(response.headers["content-encoding"]).toBe("gzip");
    expect(response.headers["vary"]).toContain("accept-encoding");
    expect(gunzipSync(response.rawPayload).toString()).toBe("[]");
    await ask("identity");
    await ask("deflate");
    expect(asked).toEqual([true, false, false]);
  });
});

describe("a large answer", () => {
  async function ask(acceptEncoding: string) {
    const { ports } = fakePorts({});
    const parts = ["[", ...Array.from({ length: 50 }, (_, i) => `"${String(i).repeat(30_000)}",`), "0]"];
    const run = async () => ({ status: 200, parts: parts.map((text) => Buffer.from(text)), report: null });
    const app = await createApp({ ...ports, queries: { ...ports.queries, run } }, apiOptions);
    const response = await app.inject({
      url: "/api/v1/query?query=up",
      headers: { "accept-encoding": acceptEncoding },
    });
    return { response, text: parts.join("") };
  }

  test("is compressed for a client that takes gzip", async () => {
    const { response, text } = await ask("br, gzip");
    expect(response.headers["content-encoding"]).toBe("gzip");
    expect(response.headers["vary"]).toContain("accept-encoding");
    expect(gunzipSync(response.rawPayload).toString()).toBe(text);
  });

  test("is compressed for a client that takes nothing but deflate", async () => {
    const { response, text } = await ask("gzip;q=0, deflate");
    expect(response.headers["content-encoding"]).toBe("deflate");
    expect(inflateSync(response.rawPayload).toString()).toBe(text);
  });

  test("is sent as it is to one that does not", async () => {
    const { response, text } = await ask("gzip;q=0");
    expect(response.headers["content-encoding"]).toBeUndefined();
    expect(response.payload).toBe(text);
  });
});
