import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createMechanism } from "../../src/discovery/create-mechanism.ts";
import type { DiscoveryMechanismName } from "../../src/config/discovery-mechanisms.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeServer, sendJson, sendStatus, type Answer } from "../support/fake-server.ts";

let server: FakeServer;
let running: Running;

/** Starts a mechanism whose configuration is made from the address of a server that answers so. */
async function start(
  name: DiscoveryMechanismName,
  yaml: (url: string) => string,
  answer: Answer,
  socket?: string,
) {
  server = await FakeServer.start(answer, socket);
  const surroundings = realSurroundings({ maxSleepMs: 20 });
  const lists = discoveryLists(`${name}_sd_configs: [${yaml(server.url)}]`);
  const [config] = lists[`${name}Configs`] as readonly Parameters<typeof createMechanism>[1][];
  running = runMechanism(createMechanism(name, config!, "j", surroundings));
  return surroundings;
}

/** Answers each path with its JSON, others with 404. */
function routes(bodies: Record<string, unknown>): Answer {
  return (_request, url, response) =>
    url.pathname in bodies ? sendJson(response, bodies[url.pathname]) : sendStatus(response, 404);
}

afterEach(async () => {
  await running.stop();
  await server.stop();
});

describe("nomad discovery", () => {
  const web = {
    ID: "s1",
    ServiceName: "web",
    Namespace: "default",
    NodeID: "n1",
    Datacenter: "dc1",
    Tags: ["a", "b"],
    Address: "10.0.0.1",
    Port: 8080,
  };

  test("asks for the instances of every service", async () => {
    await start(
      "nomad",
      (url) => `{server: '${url}', namespace: ns}`,
      routes({
        "/v1/services": [{ Namespace: "default", Services: [{ ServiceName: "web", Tags: [] }] }],
        "/v1/service/web": [web],
      }),
    );
    await running.until((now) => now.targets().length === 1);
    expect(running.targets()).toEqual([
      {
        __address__: "10.0.0.1:8080",
        __meta_nomad_address: "10.0.0.1",
        __meta_nomad_dc: "dc1",
        __meta_nomad_namespace: "default",
        __meta_nomad_node_id: "n1",
        __meta_nomad_service: "web",
        __meta_nomad_service_address: "10.0.0.1",
        __meta_nomad_service_id: "s1",
        __meta_nomad_service_port: "8080",
        __meta_nomad_tags: ",a,b,",
      },
    ]);
    expect(server.requests[0]).toBe("GET /v1/services?namespace=ns&region=global&stale");
  });

  test("keeps what it found while the server fails", async () => {
    let isFailing = false;
    const answers = routes({
      "/v1/services": [{ Namespace: "default", Services: [{ ServiceName: "web" }] }],
      "/v1/service/web": [web],
    });
    const surroundings = await start(
      "nomad",
      (url) => `{server: '${url}'}`,
      (request, url, response) => (isFailing ? sendStatus(response, 500) : answers(request, url, response)),
    );
    await running.until((now) => now.targets().length === 1);
    isFailing = true;
    while (surroundings.logged.length === 0) await surroundings.sleep(5, new AbortController().signal);
    expect(running.targets()).toHaveLength(1);
    expect(surroundings.counters.read("nomad_failures_total")[0]!.value).toBeGreaterThan(0);
  });
});

describe("eureka discovery", () => {
  const xml = `<?xml version="1.0"?>
<applications>
  <versions__delta>1</versions__delta>
  <application>
    <name>SHOP</name>
    <instance>
      <hostName>h1</hostName>
      <app>SHOP</app>
      <ipAddr>10.0.0.1</ipAddr>
      <status>UP</status>
      <port enabled="true">8080</port>
      <securePort enabled="false">8443</securePort>
      <countryId>1</countryId>
      <dataCenterInfo class="x"><name>MyOwn</name><metadata><zone-id>z1</zone-id></metadata></dataCenterInfo>
      <metadata><management.port>9090</management.port></metadata>
      <homePageUrl>http://h1:8080/?a=1&amp;b=2</homePageUrl>
      <statusPageUrl>s</statusPageUrl>
      <healthCheckUrl>c</healthCheckUrl>
      <vipAddress>shop</vipAddress>
      <secureVipAddress>shops</secureVipAddress>
      <instanceId>h1:shop:8080</instanceId>
    </instance>
    <instance><hostName>h2</hostName><instanceId>i2</instanceId></instance>
  </application>
</applications>`;

  test("reads the applications from XML", async () => {
    await start(
      "eureka",
      (url) => `{server: '${url}/eureka'}`,
      (_request, url, response) => {
        if (url.pathname !== "/eureka/apps") return sendStatus(response, 404);
        response.end(xml);
      },
    );
    await running.until((now) => now.targets().length === 2);
    const instance = "__meta_eureka_app_instance_";
    expect(running.targets()[0]).toEqual({
      __address__: "h1:8080",
      instance: "h1:shop:8080",
      __meta_eureka_app_name: "SHOP",
      [`${instance}hostname`]: "h1",
      [`${instance}homepage_url`]: "http://h1:8080/?a=1&b=2",
      [`${instance}statuspage_url`]: "s",
      [`${instance}healthcheck_url`]: "c",
      [`${instance}ip_addr`]: "10.0.0.1",
      [`${instance}vip_address`]: "shop",
      [`${instance}secure_vip_address`]: "shops",
      [`${instance}status`]: "UP",
      [`${instance}port`]: "8080",
      [`${instance}port_enabled`]: "true",
      [`${instance}secure_port`]: "8443",
      [`${instance}secure_port_enabled`]: "false",
      [`${instance}country_id`]: "1",
      [`${instance}id`]: "h1:shop:8080",
      [`${instance}datacenterinfo_name`]: "MyOwn",
      [`${instance}datacenterinfo_metadata_zone_id`]: "z1",
      [`${instance}metadata_management_port`]: "9090",
    });
    expect(running.targets()[1]).toMatchObject({ __address__: "h2:80", instance: "i2" });
  });
});

describe("marathon discovery", () => {
  const task = (ports: number[], ipAddress?: string) => ({
    id: "t1",
    host: "h1",
    ports,
    ipAddresses: ipAddress === undefined ? [] : [{ ipAddress }],
  });
  const app = (fields: Record<string, unknown>) => ({
    apps: [{ id: "/shop", labels: { "my-team": "a" }, tasks: [task([31000, 31001])], ...fields }],
  });
  const find = async (fields: Record<string, unknown>) => {
    await start(
      "marathon",
      (url) => `{servers: ['${url}'], auth_token: tok}`,
      (request, url, response) => {
        if (request.headers.authorization !== "token=tok") return sendStatus(response, 401);
        if (url.pathname !== "/v2/apps/" || url.search !== "?embed=apps.tasks")
          return sendStatus(response, 404);
        sendJson(response, app(fields));
      },
    );
    await running.until((now) => now.targets().length > 0);
    return running.targets();
  };

  test("takes the ports of the tasks where the app has none", async () => {
    const targets = await find({ container: { docker: { image: "shop:1" } } });
    expect(targets).toEqual([
      {
        __address__: "h1:31000",
        __meta_marathon_app: "/shop",
        __meta_marathon_image: "shop:1",
        __meta_marathon_app_label_my_team: "a",
        __meta_marathon_task: "t1",
        __meta_marathon_port_index: "0",
      },
      expect.objectContaining({ __address__: "h1:31001", __meta_marathon_port_index: "1" }),
    ]);
  });

  test.each([
    [
      "container mappings, 0 being the task's port",
      { container: { portMappings: [{ hostPort: 0, labels: { "x-y": "1" } }, { hostPort: 80 }] } },
      ["h1:31000", "h1:80"],
      { __meta_marathon_port_mapping_label_x_y: "1" },
    ],
    [
      "Docker's mappings",
      { container: { docker: { portMappings: [{ hostPort: 81, labels: { x: "1" } }] } } },
      ["h1:81"],
      { __meta_marathon_port_mapping_label_x: "1" },
    ],
    [
      "definitions that are required",
      { portDefinitions: [{ port: 82, labels: { x: "1" } }], requirePorts: true },
      ["h1:82"],
      { __meta_marathon_port_definition_label_x: "1" },
    ],
    [
      "definitions that aren't, for the tasks' ports",
      { portDefinitions: [{ port: 82 }, { port: 83 }] },
      ["h1:31000", "h1:31001"],
      {},
    ],
    [
      "a network of the containers' own",
      {
        networks: [{ mode: "container" }],
        container: { portMappings: [{ containerPort: 8080, hostPort: 0 }] },
        tasks: [task([31000], "10.0.0.5")],
      },
      ["10.0.0.5:8080"],
      {},
    ],
  ])("takes %s", async (_what, fields, addresses, labels) => {
    const targets = await find(fields);
    expect(targets.map((target) => target["__address__"])).toEqual(addresses);
    expect(targets[0]).toMatchObject(labels);
  });
});

const network = (id: string, name: string) => ({
  Id: id,
  Name: name,
  Scope: "local",
  Internal: false,
  Ingress: true,
  Labels: { "my-net": "x" },
});

describe("docker discovery", () => {
  const containers = [
    {
      Id: "c1",
      Names: ["/web"],
      Image: "web:1",
      ImageID: "sha256:1",
      Labels: { "com.example/team": "a" },
      HostConfig: { NetworkMode: "back" },
      Ports: [
        { PrivatePort: 80, PublicPort: 8080, IP: "0.0.0.0", Type: "tcp" },
        { PrivatePort: 53, Type: "udp" },
        { PrivatePort: 81, Type: "tcp" },
      ],
      NetworkSettings: {
        Networks: {
          front: { NetworkID: "n2", IPAddress: "10.2.0.1" },
          back: { NetworkID: "n1", IPAddress: "10.1.0.1" },
        },
      },
    },
    {
      Id: "c2",
      Names: ["/side"],
      HostConfig: { NetworkMode: "container:c1" },
      Ports: [],
      NetworkSettings: { Networks: {} },
    },
    {
      Id: "c3",
      Names: ["/host"],
      HostConfig: { NetworkMode: "host" },
      NetworkSettings: { Networks: { host: { NetworkID: "n3", IPAddress: "" } } },
    },
    { Id: "c4", Names: [], HostConfig: { NetworkMode: "x" } },
  ];
  const answers = routes({
    "/containers/json": containers,
    "/networks": [network("n1", "back"), network("n2", "front")],
  });

  test("finds containers over a unix socket, each on its first network", async () => {
    const folder = mkdtempSync(join(tmpdir(), "narthex-docker-"));
    const socket = join(folder, "docker.sock");
    await start(
      "docker",
      () => `{host: 'unix://${socket}', filters: [{name: label, values: [a, b]}]}`,
      answers,
      socket,
    );
    await running.until((now) => now.targets().length > 0);
    expect(running.targets().map((target) => target["__address__"])).toEqual([
      "10.1.0.1:80",
      "10.1.0.1:80",
      "10.1.0.1:81",
      "localhost",
    ]);
    const [web] = running.targets().filter((target) => target["__meta_docker_port_private"] === "80");
    expect(web).toEqual({
      __address__: "10.1.0.1:80",
      __meta_docker_container_id: "c1",
      __meta_docker_container_name: "/web",
      __meta_docker_container_network_mode: "back",
      __meta_docker_container_image: "web:1",
      __meta_docker_container_image_id: "sha256:1",
      __meta_docker_container_label_com_example_team: "a",
      __meta_docker_network_id: "n1",
      __meta_docker_network_name: "back",
      __meta_docker_network_scope: "local",
      __meta_docker_network_internal: "false",
      __meta_docker_network_ingress: "true",
      __meta_docker_network_ip: "10.1.0.1",
      __meta_docker_network_label_my_net: "x",
      __meta_docker_port_private: "80",
      __meta_docker_port_public: "8080",
      __meta_docker_port_public_ip: "0.0.0.0",
    });
    expect(decodeURIComponent(server.requests[0]!)).toBe(
      'GET /containers/json?filters={"label":{"a":true,"b":true}}',
    );
    rmSync(folder, { recursive: true });
  });

  test("takes every network where it is told to, over TCP, with its own ports and host", async () => {
    await start(
      "docker",
      (url) =>
        `{host: '${url.replace("http", "tcp")}', match_first_network: false, port: 99, host_networking_host: h}`,
      answers,
    );
    await running.until((now) => now.targets().length > 0);
    expect(running.targets().map((target) => target["__address__"])).toEqual([
      "10.1.0.1:80",
      "10.1.0.1:81",
      "10.1.0.1:99",
      "10.2.0.1:80",
      "10.2.0.1:81",
      "10.2.0.1:99",
      "h",
    ]);
  });
});

describe("docker swarm discovery", () => {
  const node = {
    ID: "node1",
    Spec: { Labels: { "my-zone": "eu" }, Role: "manager", Availability: "active" },
    Description: {
      Hostname: "h1",
      Platform: { Architecture: "x86_64", OS: "linux" },
      Engine: { EngineVersion: "24.0" },
    },
    Status: { State: "ready", Addr: "10.0.0.1" },
    ManagerStatus: { Leader: true, Reachability: "reachable", Addr: "10.0.0.1:2377" },
  };
  const service = {
    ID: "svc1",
    Spec: {
      Name: "web",
      Labels: { "my-team": "a" },
      Mode: { Replicated: { Replicas: 2 } },
      TaskTemplate: { ContainerSpec: { Image: "web:1", Hostname: "webhost" } },
    },
    Endpoint: {
      Ports: [
        { Name: "http", Protocol: "tcp", TargetPort: 80, PublishedPort: 8080, PublishMode: "ingress" },
        { Protocol: "udp", TargetPort: 53, PublishedPort: 53, PublishMode: "ingress" },
      ],
      VirtualIPs: [{ NetworkID: "n1", Addr: "10.9.0.2/24" }],
    },
    UpdateStatus: { State: "completed" },
  };
  const task = {
    ID: "task1",
    ServiceID: "svc1",
    NodeID: "node1",
    Slot: 2,
    DesiredState: "running",
    Spec: { ContainerSpec: { Labels: { "my-c": "1" } } },
    Status: {
      State: "running",
      ContainerStatus: { ContainerID: "cont1" },
      PortStatus: { Ports: [{ Protocol: "tcp", TargetPort: 80, PublishedPort: 9000, PublishMode: "host" }] },
    },
    NetworksAttachments: [{ Network: { ID: "n1" }, Addresses: ["10.9.0.7/24"] }],
  };
  const answers = routes({
    "/nodes": [node],
    "/services": [
      service,
      {
        ...service,
        ID: "svc2",
        Spec: { ...service.Spec, Mode: { Global: {} } },
        Endpoint: { VirtualIPs: [{ NetworkID: "n1", Addr: "10.9.0.3/24" }] },
      },
    ],
    "/tasks": [task],
    "/networks": [network("n1", "back")],
  });
  const swarm = "__meta_dockerswarm_";
  const nodeLabels = {
    [`${swarm}node_id`]: "node1",
    [`${swarm}node_address`]: "10.0.0.1",
    [`${swarm}node_availability`]: "active",
    [`${swarm}node_engine_version`]: "24.0",
    [`${swarm}node_hostname`]: "h1",
    [`${swarm}node_platform_architecture`]: "x86_64",
    [`${swarm}node_platform_os`]: "linux",
    [`${swarm}node_role`]: "manager",
    [`${swarm}node_status`]: "ready",
    [`${swarm}node_manager_address`]: "10.0.0.1:2377",
    [`${swarm}node_manager_leader`]: "true",
    [`${swarm}node_manager_reachability`]: "reachable",
    [`${swarm}node_label_my_zone`]: "eu",
  };
  const networkLabels = {
    [`${swarm}network_id`]: "n1",
    [`${swarm}network_name`]: "back",
    [`${swarm}network_scope`]: "local",
    [`${swarm}network_internal`]: "false",
    [`${swarm}network_ingress`]: "true",
    [`${swarm}network_label_my_net`]: "x",
  };
  const serviceLabels = {
    [`${swarm}service_id`]: "svc1",
    [`${swarm}service_name`]: "web",
    [`${swarm}service_mode`]: "replicated",
    [`${swarm}service_label_my_team`]: "a",
  };

  test("finds nodes", async () => {
    await start("dockerswarm", (url) => `{host: '${url}', role: nodes, port: 9323}`, answers);
    await running.until((now) => now.targets().length > 0);
    expect(running.targets()).toEqual([{ __address__: "10.0.0.1:9323", ...nodeLabels }]);
  });

  test("finds services by their virtual addresses", async () => {
    await start("dockerswarm", (url) => `{host: '${url}', role: services}`, answers);
    await running.until((now) => now.targets().length > 0);
    expect(running.targets()).toEqual([
      {
        __address__: "10.9.0.2:8080",
        ...serviceLabels,
        ...networkLabels,
        [`${swarm}service_task_container_hostname`]: "webhost",
        [`${swarm}service_task_container_image`]: "web:1",
        [`${swarm}service_updating_status`]: "completed",
        [`${swarm}service_endpoint_port_name`]: "http",
        [`${swarm}service_endpoint_port_publish_mode`]: "ingress",
      },
      expect.objectContaining({ __address__: "10.9.0.3:80", [`${swarm}service_mode`]: "global" }),
    ]);
  });

  test("finds tasks on their host's ports and on their networks", async () => {
    await start("dockerswarm", (url) => `{host: '${url}', role: tasks}`, answers);
    await running.until((now) => now.targets().length > 0);
    const common = {
      [`${swarm}task_id`]: "task1",
      [`${swarm}task_container_id`]: "cont1",
      [`${swarm}task_desired_state`]: "running",
      [`${swarm}task_state`]: "running",
      [`${swarm}task_slot`]: "2",
      [`${swarm}container_label_my_c`]: "1",
      ...serviceLabels,
      ...nodeLabels,
    };
    expect(running.targets()).toEqual([
      { __address__: "10.0.0.1:9000", [`${swarm}task_port_publish_mode`]: "host", ...common },
      {
        __address__: "10.9.0.7:80",
        [`${swarm}task_port_publish_mode`]: "ingress",
        ...common,
        ...networkLabels,
      },
    ]);
  });
});

describe("kuma discovery", () => {
  test("posts its version, and keeps the targets when nothing has changed", async () => {
    const bodies: string[] = [];
    let answered = false;
    const surroundings = await start(
      "kuma",
      (url) => `{server: '${url}', client_id: me}`,
      (request, url, response) => {
        let body = "";
        request.on("data", (chunk: Buffer) => (body += chunk.toString()));
        request.on("end", () => {
          bodies.push(`${request.method} ${url.pathname}${url.search} ${body}`);
          if (answered) return sendStatus(response, 304);
          answered = true;
          sendJson(response, {
            version_info: "v1",
            nonce: "n1",
            resources: [
              {
                mesh: "m",
                service: "s",
                labels: { "k-a": "1" },
                targets: [
                  {
                    name: "d1",
                    scheme: "http",
                    address: "10.0.0.1:80",
                    metrics_path: "/m",
                    labels: { b: "2" },
                  },
                ],
              },
            ],
          });
        });
      },
    );
    await running.until((now) => now.targets().length === 1);
    while (bodies.length < 3) await surroundings.sleep(5, new AbortController().signal);
    expect(running.targets()).toEqual([
      {
        __address__: "10.0.0.1:80",
        __scheme__: "http",
        __metrics_path__: "/m",
        instance: "d1",
        __meta_kuma_mesh: "m",
        __meta_kuma_service: "s",
        __meta_kuma_dataplane: "d1",
        __meta_kuma_label_k_a: "1",
        __meta_kuma_label_b: "2",
      },
    ]);
    const path = "POST /v3/discovery:monitoringassignments?fetch-timeout=2m";
    const type = "type.googleapis.com/kuma.observability.v1.MonitoringAssignment";
    expect(bodies[0]).toBe(
      `${path} {"version_info":"","node":{"id":"me"},"type_url":"${type}","response_nonce":""}`,
    );
    expect(bodies[1]).toBe(
      `${path} {"version_info":"v1","node":{"id":"me"},"type_url":"${type}","response_nonce":"n1"}`,
    );
    expect(surroundings.logged).toEqual([]);
  });
});

describe("puppetdb discovery", () => {
  const resource = {
    certname: "h1.test",
    resource: "49af",
    type: "Class",
    title: "Node_exporter",
    exported: false,
    tags: ["a", "b"],
    file: "/x.pp",
    environment: "prod",
    parameters: { port: 9100, on: true, list: ["x", 1], deep: { "k-y": "v", none: null }, nothing: null },
  };
  const labels = {
    __address__: "h1.test:9100",
    __meta_puppetdb_query: "q",
    __meta_puppetdb_certname: "h1.test",
    __meta_puppetdb_resource: "49af",
    __meta_puppetdb_type: "Class",
    __meta_puppetdb_title: "Node_exporter",
    __meta_puppetdb_exported: "false",
    __meta_puppetdb_file: "/x.pp",
    __meta_puppetdb_environment: "prod",
    __meta_puppetdb_tags: ",a,b,",
  };
  const find = async (more: string) => {
    await start(
      "puppetdb",
      (url) => `{url: '${url}', query: q, port: 9100, ${more}}`,
      routes({ "/pdb/query/v4": [resource] }),
    );
    await running.until((now) => now.targets().length === 1);
    return running.targets()[0];
  };

  test("finds the nodes of the resources of a query", async () => {
    expect(await find("include_parameters: false")).toEqual(labels);
    expect(server.requests[0]).toBe("POST /pdb/query/v4");
  });

  test("tells the parameters where that is wanted", async () => {
    expect(await find("include_parameters: true")).toEqual({
      ...labels,
      __meta_puppetdb_parameter_port: "9100",
      __meta_puppetdb_parameter_on: "true",
      __meta_puppetdb_parameter_list: ",x,1,",
      __meta_puppetdb_parameter_deep_k_y: "v",
    });
  });
});

test("a mechanism that finds nothing yet can't be made", async () => {
  await start("nomad", (url) => `{server: '${url}'}`, routes({ "/v1/services": [] }));
  expect(() => createMechanism("azure", {} as never, "j", realSurroundings())).toThrow(
    "discovery by azure finds no targets yet",
  );
});
