import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { loadConfig } from "../../../src/config/load.ts";
import type { DiscoveryMechanismName } from "../../../src/config/discovery-mechanisms.ts";
import { createMechanism } from "../../../src/discovery/create-mechanism.ts";
import { parseSearchRules } from "../../../src/discovery/dns.ts";
import { DiscoveryCounters, type DiscoverySurroundings } from "../../../src/discovery/mechanism.ts";
import { soundGroup, type TargetGroup } from "../../../src/discovery/target-group.ts";
import type { HttpClient, HttpResponse } from "../../../src/http-client/index.ts";
import type { Random } from "../random.ts";
import { require, type Subject } from "../subject.ts";
import { scratchFolder } from "./logs.ts";

interface Service {
  readonly name: DiscoveryMechanismName;
  readonly yaml: string;
  /** What it answers, by a part of the path; the first that fits. */
  readonly answers: readonly (readonly [part: string, answer: unknown])[];
}

const meta = {
  name: "o",
  namespace: "n",
  uid: "u",
  labels: { l: "v" },
  annotations: { a: "b" },
  resourceVersion: "5",
};
const list = (...items: unknown[]) => ({
  kind: "List",
  metadata: { resourceVersion: "7", continue: "" },
  items,
});
const kubernetes = (role: string, item: unknown): Service => ({
  name: "kubernetes",
  yaml: `kubernetes_sd_configs: [{role: ${role}, api_server: "http://k"}]`,
  answers: [
    ["watch=true", { type: "MODIFIED", object: item }],
    ["", list(item)],
  ],
});

const SERVICES: readonly Service[] = [
  {
    name: "http",
    yaml: `http_sd_configs: [{url: "http://h/sd"}]`,
    answers: [["", [{ targets: ["a:1"], labels: { l: "v" } }]]],
  },
  {
    name: "consul",
    yaml: `consul_sd_configs: [{server: "c:1"}]`,
    answers: [
      ["agent/self", { Config: { Datacenter: "dc" } }],
      ["catalog/services", { web: ["t"] }],
      [
        "",
        [
          {
            Node: { Node: "n", Address: "1.2.3.4", Meta: { a: "b" }, TaggedAddresses: { lan: "1.1.1.1" } },
            Service: {
              ID: "i",
              Address: "",
              Port: 80,
              Tags: ["t", "u"],
              Meta: { k: "v" },
              Namespace: "",
              Partition: "",
            },
            Checks: [{ CheckID: "c", Status: "passing" }],
          },
        ],
      ],
    ],
  },
  {
    name: "docker",
    yaml: `docker_sd_configs: [{host: "tcp://d:1"}]`,
    answers: [
      [
        "/networks",
        [{ Id: "n", Name: "net", Scope: "local", Internal: false, Ingress: false, Labels: { a: "b" } }],
      ],
      [
        "",
        [
          {
            Id: "c",
            Names: ["/web"],
            Labels: { l: "v" },
            HostConfig: { NetworkMode: "bridge" },
            Ports: [{ PrivatePort: 80, PublicPort: 8080, IP: "0.0.0.0", Type: "tcp" }],
            NetworkSettings: { Networks: { net: { NetworkID: "n", IPAddress: "10.0.0.1" } } },
          },
        ],
      ],
    ],
  },
  {
    name: "nomad",
    yaml: `nomad_sd_configs: [{server: "http://n"}]`,
    answers: [
      ["/v1/services", [{ Namespace: "default", Services: [{ ServiceName: "web", Tags: ["t"] }] }]],
      [
        "",
        [
          {
            ID: "i",
            ServiceName: "web",
            Namespace: "default",
            NodeID: "n",
            Datacenter: "dc",
            JobID: "j",
            AllocID: "a",
            Tags: ["t"],
            Address: "1.2.3.4",
            Port: 80,
          },
        ],
      ],
    ],
  },
  {
    name: "eureka",
    yaml: `eureka_sd_configs: [{server: "http://e/eureka"}]`,
    answers: [
      [
        "",
        "<applications><application><name>A</name><instance><hostName>h</hostName><app>A</app><ipAddr>1.2.3.4</ipAddr><status>UP</status><port enabled='true'>80</port><securePort enabled=\"false\">443</securePort><dataCenterInfo><name>MyOwn</name></dataCenterInfo><metadata><k>v &amp; w</k></metadata></instance></application></applications>",
      ],
    ],
  },
  {
    name: "marathon",
    yaml: `marathon_sd_configs: [{servers: ["http://m"]}]`,
    answers: [
      [
        "",
        {
          apps: [
            {
              id: "/a",
              tasks: [
                {
                  id: "t",
                  host: "h",
                  ports: [31000],
                  ipAddresses: [{ ipAddress: "1.1.1.1", protocol: "IPv4" }],
                },
              ],
              tasksRunning: 1,
              labels: { l: "v" },
              container: {
                docker: {
                  image: "i",
                  portMappings: [{ labels: { p: "q" }, containerPort: 80, hostPort: 0, servicePort: 1 }],
                },
              },
              portDefinitions: [{ labels: {}, port: 10000 }],
              networks: [{ name: "n", mode: "host" }],
              requirePorts: false,
            },
          ],
        },
      ],
    ],
  },
  kubernetes("node", {
    metadata: meta,
    spec: { providerID: "p" },
    status: {
      addresses: [{ type: "InternalIP", address: "1.1.1.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      conditions: [{ type: "Ready", status: "True" }],
    },
  }),
  kubernetes("pod", {
    metadata: { ...meta, ownerReferences: [{ kind: "Job", name: "x", controller: true }] },
    spec: {
      nodeName: "n",
      containers: [{ name: "c", image: "i", ports: [{ name: "p", containerPort: 80, protocol: "TCP" }] }],
      initContainers: [],
    },
    status: {
      podIP: "1.1.1.1",
      hostIP: "2.2.2.2",
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ name: "c", containerID: "d" }],
    },
  }),
  kubernetes("service", {
    metadata: meta,
    spec: {
      type: "LoadBalancer",
      clusterIP: "1.1.1.1",
      externalName: "",
      ports: [{ name: "p", port: 80, protocol: "TCP" }],
    },
    status: { loadBalancer: { ingress: [{ ip: "3.3.3.3" }] } },
  }),
  kubernetes("endpoints", {
    metadata: meta,
    subsets: [
      {
        addresses: [{ ip: "1.1.1.1", nodeName: "n", targetRef: { kind: "Pod", name: "p", namespace: "n" } }],
        notReadyAddresses: [{ ip: "2.2.2.2" }],
        ports: [{ name: "p", port: 80, protocol: "TCP" }],
      },
    ],
  }),
  kubernetes("endpointslice", {
    metadata: meta,
    addressType: "IPv4",
    endpoints: [
      {
        addresses: ["1.1.1.1"],
        conditions: { ready: true, serving: true },
        targetRef: { kind: "Pod", name: "p" },
        nodeName: "n",
        zone: "z",
      },
    ],
    ports: [{ name: "p", port: 80, protocol: "TCP", appProtocol: "http" }],
  }),
  kubernetes("ingress", {
    metadata: meta,
    spec: {
      ingressClassName: "c",
      tls: [{ hosts: ["h"] }],
      rules: [{ host: "h", http: { paths: [{ path: "/p" }] } }],
    },
  }),
];

const WRONG = [
  "null",
  "1",
  "-1",
  '"x"',
  "[]",
  "{}",
  "true",
  "[null]",
  '{"a":null}',
  "1e999",
  "[[]]",
  '""',
  "{}",
];

/** JSON with some values of another kind than they should be. */
function spoiled(random: Random, answer: unknown): string {
  if (typeof answer === "string") return answer;
  const share = random.pick([0, 0.03, 0.1]);
  const print = (value: unknown): string => {
    if (random.chance(share)) return random.pick(WRONG);
    if (Array.isArray(value)) return `[${value.map(print).join(",")}]`;
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const entries = Object.entries(value).filter(() => !random.chance(share));
    return `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${print(part)}`).join(",")}}`;
  };
  return print(answer);
}

function answering(
  bodies: readonly (readonly [part: string, body: string])[],
  onAsked: () => void,
): HttpClient {
  return {
    request: async (url, request): Promise<HttpResponse> => {
      onAsked();
      request?.signal?.throwIfAborted();
      const body = Buffer.from(bodies.find(([part]) => url.includes(part))?.[1] ?? "");
      return {
        status: 200,
        statusLine: "200 OK",
        headers: { "content-type": "application/json", "x-consul-index": "5", "x-nomad-index": "5" },
        url,
        body: Readable.from([body]),
        chunks: async function* () {
          yield body;
        },
        read: async () => body,
      };
    },
    requestWhole: () => Promise.reject(new Error("discovery does not ask this way")),
    close: async () => {},
  };
}

/** Runs a mechanism until it sleeps, or has asked a few dozen times, and looks at all that it found. */
async function discover(
  name: DiscoveryMechanismName,
  yaml: string,
  bodies: readonly (readonly [string, string])[],
): Promise<boolean> {
  const job = loadConfig(`scrape_configs: [{job_name: j, ${yaml}}]`, { fileName: "p.yml", environment: {} })
    .scrapeConfigs[0]!;
  const [config] = job[`${name}Configs`];
  const stopping = new AbortController();
  let asked = 0;
  let isRefused = false;
  // An answer of another form than it should have is a failure like any other: the last targets stay.
  const note = (): void => void (isRefused = true);
  const client = answering(bodies, () => {
    if (++asked >= 40) stopping.abort();
  });
  const surroundings: DiscoverySurroundings = {
    now: () => 0,
    elapsedMs: () => 0,
    // The second round would be like the first.
    sleep: async () => void stopping.abort(),
    createHttpClient: () => client,
    userAgent: "fuzz",
    environment: {},
    log: { warn: note, error: note },
    counters: new DiscoveryCounters(),
    random: () => 0,
  };
  const groups: TargetGroup[] = [];
  const timer = setTimeout(() => stopping.abort(), 200);
  await createMechanism(name, config as never, "j", surroundings).run((found) => {
    groups.push(...found.map(soundGroup));
    if (asked > 3) stopping.abort();
  }, stopping.signal);
  clearTimeout(timer);
  for (const group of groups) {
    require(typeof group.source === "string", () => `a source that is no text: ${JSON.stringify(group)}`);
    for (const labels of [group.labels, ...group.targets]) {
      for (const [label, value] of Object.entries(labels)) {
        require(typeof value === "string", () => `label ${label} is no text: ${JSON.stringify(value)}`);
      }
    }
  }
  return !isRefused && groups.some(({ targets }) => targets.length > 0);
}

const BODY_END = "\x1e";

/** The first byte says which service, the rest are its answers. */
const services: Subject = {
  name: "discovery",
  words: [...WRONG, '"', ":", ",", "<", ">", "</a>", "&amp;", "<!--", "]]>"],
  make: (random) => {
    const index = random.below(SERVICES.length);
    const bodies = SERVICES[index]!.answers.map(([, answer]) => spoiled(random, answer));
    return Buffer.concat([Buffer.from([index]), Buffer.from(bodies.join(BODY_END))]);
  },
  run: (input) => {
    const service = SERVICES[(input[0] ?? 0) % SERVICES.length]!;
    const bodies = input.subarray(1).toString().split(BODY_END);
    return discover(
      service.name,
      service.yaml,
      service.answers.map(([part], i) => [part, bodies[i] ?? ""] as const),
    );
  },
};

let folder: string | null = null;

const files: Subject = {
  name: "target-files",
  words: [...WRONG, "- ", ": ", "targets", "labels", "\n", "&a", "*a"],
  make: (random) =>
    Buffer.from(
      random.chance(0.5)
        ? `j${spoiled(random, [{ targets: ["a:1", "b"], labels: { l: "v" } }, { targets: [] }])}`
        : `y- targets: [${random.text("ab:1,'\" ", 12)}]\n  labels:\n    ${random.text("ab", 3)}: ${random.number()}\n`,
    ),
  run: (input) => {
    folder ??= scratchFolder("targets");
    const name = `t.${input[0] === 0x6a ? "json" : "yml"}`;
    writeFileSync(join(folder, name), input.subarray(1));
    return discover("file", `file_sd_configs: [{files: ["${join(folder, name)}"]}]`, []);
  },
};

const resolver: Subject = {
  name: "resolv.conf",
  words: ["search", "domain", "options", "ndots:", "nameserver", " ", "\n", "\t", "99999999999", "."],
  make: (random) =>
    Buffer.from(
      random
        .list(6, () => `${random.pick(["search a.b", "options ndots:", "domain x"])}${random.number()}\n`)
        .join(""),
    ),
  run: (input) => {
    const { search, ndots } = parseSearchRules(input.toString());
    require(ndots >= 0 && ndots <= 15 && search.every((word) => word !== ""), () =>
      `ndots ${ndots}, ${search.join()}`);
    return search.length > 0;
  },
};

export const discovery: readonly Subject[] = [services, files, resolver];
