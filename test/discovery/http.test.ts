import { afterEach, describe, expect, test } from "vitest";
import { httpDiscovery } from "../../src/discovery/http.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeServer, sendJson, sendStatus, type Answer } from "../support/fake-server.ts";

let server: FakeServer;
let running: Running;

async function start(answer: Answer, surroundings = realSurroundings({ maxSleepMs: 20 })) {
  server = await FakeServer.start(answer);
  const [config] = discoveryLists(
    `http_sd_configs: [{url: '${server.url}/targets', bearer_token: tok}]`,
  ).httpConfigs;
  running = runMechanism(httpDiscovery(config!, "j", surroundings));
  return surroundings;
}

afterEach(async () => {
  await running.stop();
  await server.stop();
});

describe("http discovery", () => {
  test("asks with credentials and labels targets with the address", async () => {
    const headers: Record<string, unknown>[] = [];
    await start((request, _url, response) => {
      headers.push(request.headers);
      sendJson(response, [{ targets: ["a:1"], labels: { zone: "eu" } }]);
    });
    await running.until((now) => now.targets().length === 1);
    expect(running.targets()).toEqual([
      { __address__: "a:1", zone: "eu", __meta_url: `${server.url}/targets` },
    ]);
    expect(headers[0]).toMatchObject({
      accept: "application/json",
      authorization: "Bearer tok",
      "user-agent": "Narthex/test",
      "x-prometheus-refresh-interval-seconds": "60",
    });
  });

  test("follows the list, and keeps it while the server fails", async () => {
    let list: unknown[] | null = [{ targets: ["a:1"] }, { targets: ["b:1"] }];
    const surroundings = await start((_request, _url, response) =>
      list === null ? sendStatus(response, 500) : sendJson(response, list),
    );
    await running.until((now) => now.targets().length === 2);
    list = null;
    while (surroundings.logged.length === 0) await surroundings.sleep(5, new AbortController().signal);
    expect(surroundings.logged[0]).toBe(
      "Unable to refresh target groups: server returned HTTP status 500 Internal Server Error",
    );
    expect(running.targets()).toHaveLength(2);
    expect(surroundings.counters.read("refresh_failures_total")[0]).toMatchObject({
      labels: { mechanism: "http", config: "j" },
    });
    expect(surroundings.counters.read("http_failures_total")[0]!.value).toBeGreaterThan(0);
    list = [{ targets: ["c:1"] }];
    await running.until((now) => now.targets()[0]?.["__address__"] === "c:1");
    expect(running.targets()).toHaveLength(1);
  });

  test.each([
    ["text/plain", "[]", 'unsupported content type "text/plain"'],
    ["application/json; charset=latin1", "[]", 'unsupported content type "application/json; charset=latin1"'],
    ["application/json", '[{"targets": [], "foo": 1}]', 'target group 0: unknown field "foo"'],
  ])("an answer of type %s with %s is refused", async (type, body, message) => {
    const surroundings = await start((_request, _url, response) => {
      response.writeHead(200, { "content-type": type });
      response.end(body);
    });
    while (surroundings.logged.length === 0) await surroundings.sleep(5, new AbortController().signal);
    expect(surroundings.logged[0]).toContain(message);
  });
});
