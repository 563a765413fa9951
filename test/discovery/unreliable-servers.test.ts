import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DiscoveryMechanismName } from "../../src/config/discovery-mechanisms.ts";
import { createMechanism } from "../../src/discovery/create-mechanism.ts";
import { eventually } from "../support/api-client.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeServer, sendJson, sendStatus } from "../support/fake-server.ts";
import { removeFolder, temporaryFolder } from "../support/servers.ts";

/** How a mechanism is configured, and how its server tells of one target at a host. */
interface Case {
  readonly mechanism: DiscoveryMechanismName;
  readonly fields: (url: string) => string;
  readonly answers: (host: string) => Readonly<Record<string, unknown>>;
  readonly address: (host: string) => string;
  readonly onSocket?: boolean;
}

const container = (host: string) => ({
  Id: "c",
  Names: ["/c"],
  HostConfig: { NetworkMode: "n" },
  Ports: [{ PrivatePort: 80, Type: "tcp" }],
  NetworkSettings: { Networks: { n: { NetworkID: "n", IPAddress: host } } },
});

const node = (host: string) => ({
  ID: "n",
  Spec: { Role: "worker", Availability: "active" },
  Description: { Hostname: "h" },
  Status: { State: "ready", Addr: host },
});

const CASES: readonly Case[] = [
  {
    mechanism: "http",
    fields: (url) => `url: '${url}/list'`,
    answers: (host) => ({ "/list": [{ targets: [`${host}:80`] }] }),
    address: (host) => `${host}:80`,
  },
  {
    mechanism: "nomad",
    fields: (url) => `server: '${url}'`,
    answers: (host) => ({
      "/v1/services": [{ Namespace: "default", Services: [{ ServiceName: "web" }] }],
      "/v1/service/web": [{ ID: "s", ServiceName: "web", Address: host, Port: 80 }],
    }),
    address: (host) => `${host}:80`,
  },
  {
    mechanism: "eureka",
    fields: (url) => `server: '${url}'`,
    answers: (host) => ({
      "/apps": `<applications><application><name>A</name><instance><hostName>${host}</hostName><port>80</port></instance></application></applications>`,
    }),
    address: (host) => `${host}:80`,
  },
  {
    mechanism: "marathon",
    fields: (url) => `servers: ['${url}']`,
    answers: (host) => ({ "/v2/apps/": { apps: [{ id: "/a", tasks: [{ id: "t", host, ports: [80] }] }] } }),
    address: (host) => `${host}:80`,
  },
  {
    mechanism: "docker",
    fields: (url) => `host: 'unix://${url}'`,
    answers: (host) => ({ "/containers/json": [container(host)], "/networks": [] }),
    address: (host) => `${host}:80`,
    onSocket: true,
  },
  {
    mechanism: "dockerswarm",
    fields: (url) => `host: '${url.replace("http:", "tcp:")}', role: nodes`,
    answers: (host) => ({ "/nodes": [node(host)] }),
    address: (host) => `${host}:80`,
  },
];

/** What a server may do instead of giving its list. */
const TROUBLES: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "answers with an error": (response) => sendStatus(response, 503),
  "answers with something else": (response) => {
    response.writeHead(200, { "content-type": "application/json" }).end('{"half": [');
  },
  "hangs up": (response) => response.destroy(),
  "hangs up in the middle": (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" }).write("[");
    setTimeout(() => response.destroy(), 5);
  },
  "does not answer in time": () => undefined,
  "begins an answer and never ends it": (response) => {
    response.writeHead(200, { "content-type": "application/json" }).write("[");
  },
};

describe.each(CASES)("$mechanism discovery", ({ mechanism, fields, answers, address, onSocket = false }) => {
  let folder: string;
  let server: FakeServer;
  let running: Running;
  let host = "10.0.0.1";
  let trouble: ((response: ServerResponse) => void) | null = null;
  let surroundings: ReturnType<typeof realSurroundings>;

  beforeEach(async () => {
    folder = temporaryFolder("unreliable");
    host = "10.0.0.1";
    trouble = null;
    server = await FakeServer.start(
      (_request, url, response) => {
        if (trouble !== null) return trouble(response);
        const body = answers(host)[url.pathname];
        if (body === undefined) sendStatus(response, 404);
        else if (typeof body === "string") response.end(body);
        else sendJson(response, body);
      },
      onSocket ? join(folder, "socket") : undefined,
    );
    surroundings = realSurroundings({ maxSleepMs: 20 });
    const lists = discoveryLists(
      `${mechanism}_sd_configs: [{${fields(server.url)}, refresh_interval: 150ms}]`,
    );
    const [config] = lists[`${mechanism}Configs`] as readonly Parameters<typeof createMechanism>[1][];
    running = runMechanism(createMechanism(mechanism, config!, "j", surroundings));
  });

  afterEach(async () => {
    await running.stop();
    await server.stop();
    removeFolder(folder);
  });

  const found = () => running.targets().map((target) => target["__address__"]);
  const failures = () => surroundings.counters.read("refresh_failures_total")[0]!.value;

  test.each(Object.keys(TROUBLES))(
    "keeps its targets while the server %s, and goes on afterwards",
    async (name) => {
      await running.until(() => found().join() === address("10.0.0.1"));
      trouble = TROUBLES[name]!;
      await eventually("two failures", () => Promise.resolve(failures() >= 2));
      expect(found()).toEqual([address("10.0.0.1")]);
      expect(surroundings.logged[0]).toContain("Unable to refresh target groups: ");
      host = "10.0.0.2";
      trouble = null;
      await running.until(() => found().join() === address("10.0.0.2"));
    },
  );
});
