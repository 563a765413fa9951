import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clusterAccess } from "../../src/discovery/kubernetes/cluster-access.ts";
import { kubernetesDiscovery } from "../../src/discovery/kubernetes/kubernetes.ts";
import type { Pod } from "../../src/discovery/kubernetes/objects.ts";
import { eventually } from "../support/api-client.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeKubernetes } from "../support/fake-kubernetes.ts";

const K = "__meta_kubernetes_";
const PODS = "/api/v1/pods";
const NODES = "/api/v1/nodes";
const SERVICES = "/api/v1/services";
const NAMESPACES = "/api/v1/namespaces";
const ENDPOINTS = "/api/v1/endpoints";
const SLICES = "/apis/discovery.k8s.io/v1/endpointslices";
const INGRESSES = "/apis/networking.k8s.io/v1/ingresses";
const REPLICA_SETS = "/apis/apps/v1/replicasets";
const JOBS = "/apis/batch/v1/jobs";

let cluster: FakeKubernetes;
let surroundings: ReturnType<typeof realSurroundings>;
let running: Running;

function start(fields: string): void {
  const [config] = discoveryLists(
    `kubernetes_sd_configs: [{api_server: '${cluster.server.url}', ${fields}}]`,
  ).kubernetesConfigs;
  running = runMechanism(kubernetesDiscovery(config!, surroundings));
}

const addresses = (of: Running) => of.targets().map((target) => target["__address__"]);

beforeEach(async () => {
  surroundings = realSurroundings({ maxSleepMs: 20 });
  cluster = new FakeKubernetes();
  await cluster.start();
});

afterEach(async () => {
  await running.stop();
  await cluster.server.stop();
});

const pod = (name: string, ip: string, more: { spec?: Pod["spec"]; meta?: object } = {}): Pod => ({
  metadata: { name, namespace: "ns", uid: `uid-${name}`, ...more.meta },
  spec: {
    nodeName: "n1",
    containers: [
      { name: "main", image: "web:1", ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }] },
      { name: "bare", image: "b:1" },
    ],
    initContainers: [{ name: "init", image: "i:1", ports: [{ containerPort: 1, protocol: "UDP" }] }],
    ...more.spec,
  },
  status: {
    podIP: ip,
    hostIP: "10.9.9.9",
    phase: "Running",
    conditions: [{ type: "Ready", status: "True" }],
    containerStatuses: [{ name: "main", containerID: "docker://1" }],
  },
});

describe("role pod", () => {
  const podLabels = {
    [`${K}namespace`]: "ns",
    [`${K}pod_name`]: "p1",
    [`${K}pod_ip`]: "10.0.0.1",
    [`${K}pod_ready`]: "true",
    [`${K}pod_phase`]: "Running",
    [`${K}pod_node_name`]: "n1",
    [`${K}pod_host_ip`]: "10.9.9.9",
    [`${K}pod_uid`]: "uid-p1",
  };

  test("finds every container's ports, and containers without", async () => {
    cluster.put(
      PODS,
      pod("p1", "10.0.0.1", {
        meta: {
          labels: { "app.io/name": "web", empty: "" },
          annotations: { "a-b": "c" },
          ownerReferences: [{ kind: "ReplicaSet", name: "rs", controller: true }],
        },
      }),
    );
    cluster.put(PODS, pod("starting", ""));
    start("role: pod");
    await running.until((now) => now.targets().length > 0);
    const shared = {
      ...podLabels,
      [`${K}pod_label_app_io_name`]: "web",
      [`${K}pod_labelpresent_app_io_name`]: "true",
      [`${K}pod_label_empty`]: "",
      [`${K}pod_labelpresent_empty`]: "true",
      [`${K}pod_annotation_a_b`]: "c",
      [`${K}pod_annotationpresent_a_b`]: "true",
      [`${K}pod_controller_kind`]: "ReplicaSet",
      [`${K}pod_controller_name`]: "rs",
    };
    expect(running.targets()).toEqual([
      {
        __address__: "10.0.0.1",
        ...shared,
        [`${K}pod_container_name`]: "bare",
        [`${K}pod_container_image`]: "b:1",
        [`${K}pod_container_init`]: "false",
        [`${K}pod_container_id`]: "",
      },
      {
        __address__: "10.0.0.1:1",
        ...shared,
        [`${K}pod_container_name`]: "init",
        [`${K}pod_container_image`]: "i:1",
        [`${K}pod_container_init`]: "true",
        [`${K}pod_container_id`]: "",
        [`${K}pod_container_port_name`]: "",
        [`${K}pod_container_port_number`]: "1",
        [`${K}pod_container_port_protocol`]: "UDP",
      },
      {
        __address__: "10.0.0.1:8080",
        ...shared,
        [`${K}pod_container_name`]: "main",
        [`${K}pod_container_image`]: "web:1",
        [`${K}pod_container_init`]: "false",
        [`${K}pod_container_id`]: "docker://1",
        [`${K}pod_container_port_name`]: "http",
        [`${K}pod_container_port_number`]: "8080",
        [`${K}pod_container_port_protocol`]: "TCP",
      },
    ]);
    expect(running.groups()[0]!.source).toBe("pod/ns/p1");
  });

  const small = (name: string, ip: string) =>
    pod(name, ip, { spec: { nodeName: "n1", containers: [{ name: "c" }], initContainers: [] } });

  test("follows what is created, changed and deleted", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    cluster.put(PODS, small("p2", "10.0.0.2"));
    start("role: pod");
    await running.until((now) => now.targets().length === 2);
    cluster.put(PODS, small("p3", "10.0.0.3"));
    cluster.put(PODS, small("p1", "10.0.0.9"));
    cluster.delete(PODS, "ns", "p2");
    await running.until((now) => addresses(now).join() === "10.0.0.3,10.0.0.9");
    const events = surroundings.counters
      .read("kubernetes_events_total")
      .filter(({ labels }) => labels["role"] === "pod")
      .map(({ labels, value }) => [labels["event"], value]);
    expect(events).toEqual([
      ["add", 3],
      ["delete", 1],
      ["update", 1],
    ]);
    expect(surroundings.counters.read("kubernetes_events_total")).toHaveLength(18);
  });

  test("goes on from the bookmark when a watch ends", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    start("role: pod");
    await running.until((now) => now.targets().length === 1);
    cluster.put(SERVICES, { metadata: { name: "x", namespace: "ns" } });
    cluster.bookmark();
    // Without the bookmark this version would be too old.
    while (!cluster.server.requests.some((line) => line.includes("watch=true"))) {
      await surroundings.sleep(5, new AbortController().signal);
    }
    await surroundings.sleep(20, new AbortController().signal);
    cluster.oldestVersion = 102;
    cluster.endWatches();
    cluster.put(PODS, small("p2", "10.0.0.2"));
    await running.until((now) => now.targets().length === 2);
    const versions = cluster.server.requests.flatMap((line) => /resourceVersion=(\d+)/.exec(line)?.[1] ?? []);
    expect(versions.slice(0, 2)).toEqual(["101", "102"]);
    expect(surroundings.logged).toEqual([]);
  });

  test("lists anew when its version is forgotten, and notices what is gone", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    cluster.put(PODS, small("p2", "10.0.0.2"));
    start("role: pod");
    await running.until((now) => now.targets().length === 2);
    cluster.compact();
    cluster.delete(PODS, "ns", "p1");
    cluster.oldestVersion = 200;
    cluster.endWatches();
    await running.until((now) => addresses(now).join() === "10.0.0.2");
    cluster.oldestVersion = 0;
  });

  test("keeps what it found while the server fails", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    start("role: pod");
    await running.until((now) => now.targets().length === 1);
    cluster.isFailing = true;
    cluster.endWatches();
    while (surroundings.logged.length === 0) await surroundings.sleep(5, new AbortController().signal);
    expect(running.targets()).toHaveLength(1);
    expect(surroundings.counters.read("kubernetes_failures_total")[0]!.value).toBeGreaterThan(0);
    cluster.isFailing = false;
    cluster.put(PODS, small("p2", "10.0.0.2"));
    await running.until((now) => now.targets().length === 2);
  });

  test("begins a list again whose continuation has expired", async () => {
    for (const name of ["p1", "p2", "p3"]) cluster.put(PODS, small(name, `10.0.0.${name[1]}`));
    cluster.expiredContinuations = 2;
    start("role: pod");
    await running.until((now) => now.targets().length === 3);
    expect(cluster.expiredContinuations).toBe(0);
  });

  test("lists anew where the server refuses its version by the status", async () => {
    cluster.refusesOldWatches = true;
    cluster.put(PODS, small("p1", "10.0.0.1"));
    start("role: pod");
    await running.until((now) => now.targets().length === 1);
    await eventually("a watch", () => Promise.resolve(cluster.watchCount === 1));
    cluster.compact();
    cluster.put(PODS, small("p2", "10.0.0.2"));
    await running.until((now) => now.targets().length === 2);
    // That a version is forgotten is no failure.
    expect(surroundings.counters.read("kubernetes_failures_total")).toEqual([]);
  });

  test("goes on where it was after a watch that is cut in the middle of an event", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    start("role: pod");
    await running.until((now) => now.targets().length === 1);
    await eventually("a watch", () => Promise.resolve(cluster.watchCount === 1));
    const lists = () => cluster.server.requests.filter((line) => !line.includes("watch=true")).length;
    const listed = lists();
    cluster.cutWatches();
    cluster.put(PODS, small("p2", "10.0.0.2"));
    await running.until((now) => now.targets().length === 2);
    await eventually("a watch", () => Promise.resolve(cluster.watchCount === 1));
    cluster.failWatches(500, "etcd is away");
    cluster.put(PODS, small("p3", "10.0.0.3"));
    await running.until((now) => now.targets().length === 3);
    expect(lists()).toBe(listed);
    expect(surroundings.logged.some((line) => line.includes("etcd is away"))).toBe(true);
  });

  test("tells nothing before slow lists have come, so that no target lacks its node", async () => {
    cluster.put(NODES, { metadata: { name: "n1", labels: { zone: "z1" } } });
    cluster.put(PODS, small("p1", "10.0.0.1"));
    cluster.holdsLists = true;
    start("role: pod, attach_metadata: {node: true}");
    await eventually("both lists asked for", () => Promise.resolve(cluster.server.requests.length === 2));
    expect(running.groups()).toEqual([]);
    cluster.releaseLists();
    await running.until((now) => now.groups().length > 0);
    expect(running.targets()[0]).toMatchObject({ [`${K}node_label_zone`]: "z1" });
  });

  test("never waits for ever: lists and watches have their time", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    start("role: pod");
    await running.until((now) => now.targets().length === 1);
    await eventually("a watch", () => Promise.resolve(cluster.watchCount === 1));
    expect(surroundings.timeouts).toEqual([60_000, 360_000]);
  });

  test("counts and times its requests and the objects that wait", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    cluster.put(PODS, small("p2", "10.0.0.2"));
    start("role: pod");
    await running.until((now) => now.targets().length === 2);
    await eventually("a watch", () => Promise.resolve(cluster.watchCount === 1));
    const { counters, timed } = surroundings;
    // Two pages of a list, and the watch.
    expect(counters.read("kubernetes_http_request_total")).toMatchObject([
      { labels: { status_code: "200" }, value: 3 },
    ]);
    expect(timed.filter((line) => line === `kubernetes_http_request_duration_seconds ${PODS}`)).toHaveLength(
      3,
    );
    expect(counters.read("kubernetes_workqueue_items_total")).toMatchObject([
      { labels: { queue_name: "pod" }, value: 2 },
    ]);
    expect(counters.read("kubernetes_workqueue_depth")[0]!.value).toBe(0);
    expect(timed.filter((line) => line === "kubernetes_workqueue_latency_seconds pod")).toHaveLength(2);
    expect(timed.filter((line) => line === "kubernetes_workqueue_work_duration_seconds pod")).toHaveLength(2);
    await running.stop();
    expect(counters.read("kubernetes_workqueue_depth")[0]!.value).toBe(0);
  });

  test("asks for its namespaces and selectors, with credentials", async () => {
    cluster.put(PODS, small("p1", "10.0.0.1"));
    cluster.put(PODS, { ...small("p2", "10.0.0.2"), metadata: { name: "p2", namespace: "other" } });
    start(
      "role: pod, bearer_token: tok, namespaces: {names: [ns]}, selectors: [{role: pod, label: 'a in (b,c)', field: 'status.phase=Running'}]",
    );
    await running.until((now) => now.targets().length === 1);
    expect(addresses(running)).toEqual(["10.0.0.1"]);
    const url = new URL(`http://x${cluster.server.requests[0]!.slice(4)}`);
    expect(url.pathname).toBe("/api/v1/namespaces/ns/pods");
    expect(url.searchParams.get("labelSelector")).toBe("a in (b,c)");
    expect(url.searchParams.get("fieldSelector")).toBe("status.phase=Running");
    expect(cluster.headers[0]).toMatchObject({ authorization: "Bearer tok", accept: "application/json" });
  });

  test("attaches its node, its namespace and what made it", async () => {
    const owned = (kind: string, name: string) => ({ ownerReferences: [{ kind, name, controller: true }] });
    const made = (name: string, ip: string, kind: string, owner: string) => ({
      ...small(name, ip),
      metadata: { name, namespace: "ns", ...owned(kind, owner) },
    });
    cluster.put(PODS, made("p1", "10.0.0.1", "ReplicaSet", "rs1"));
    cluster.put(PODS, made("p2", "10.0.0.2", "Job", "job1"));
    cluster.put(REPLICA_SETS, { metadata: { name: "rs1", namespace: "ns", ...owned("Deployment", "web") } });
    cluster.put(JOBS, { metadata: { name: "job1", namespace: "ns", ...owned("CronJob", "nightly") } });
    cluster.put(NODES, { metadata: { name: "n1", labels: { zone: "z1" } } });
    cluster.put(NAMESPACES, { metadata: { name: "ns", labels: { team: "a" }, annotations: { x: "y" } } });
    start(
      "role: pod, attach_metadata: {node: true, namespace: true, deployment: true, job: true, cronjob: true}",
    );
    await running.until((now) => now.targets().length === 2);
    expect(running.targets()[0]).toMatchObject({
      [`${K}pod_deployment_name`]: "web",
      [`${K}node_name`]: "n1",
      [`${K}node_label_zone`]: "z1",
      [`${K}node_labelpresent_zone`]: "true",
      [`${K}namespace_label_team`]: "a",
      [`${K}namespace_labelpresent_team`]: "true",
      [`${K}namespace_annotation_x`]: "y",
      [`${K}namespace_annotationpresent_x`]: "true",
    });
    expect(running.targets()[1]).toMatchObject({
      [`${K}pod_job_name`]: "job1",
      [`${K}pod_cronjob_name`]: "nightly",
    });
    cluster.put(NODES, { metadata: { name: "n1", labels: { zone: "z2" } } });
    await running.until((now) => now.targets().every((target) => target[`${K}node_label_zone`] === "z2"));
    cluster.delete(NODES, undefined, "n1");
    await running.until((now) => now.targets().length === 0);
  });
});

test("role node finds kubelets by their best address", async () => {
  cluster.put(NODES, {
    metadata: { name: "n1", labels: { a: "b" } },
    spec: { providerID: "aws:///i-1" },
    status: {
      addresses: [
        { type: "Hostname", address: "h1" },
        { type: "InternalIP", address: "10.0.0.1" },
        { type: "InternalIP", address: "10.0.0.2" },
      ],
      conditions: [{ type: "MemoryPressure", status: "False" }],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    },
  } as never);
  start("role: node");
  await running.until((now) => now.targets().length > 0);
  expect(running.targets()).toEqual([
    {
      __address__: "10.0.0.1:10250",
      instance: "n1",
      [`${K}node_name`]: "n1",
      [`${K}node_label_a`]: "b",
      [`${K}node_labelpresent_a`]: "true",
      [`${K}node_provider_id`]: "aws:///i-1",
      [`${K}node_condition_memorypressure`]: "false",
      [`${K}node_address_Hostname`]: "h1",
      [`${K}node_address_InternalIP`]: "10.0.0.1",
    },
  ]);
  expect(running.groups()[0]!.source).toBe("node/n1");
});

describe("role service", () => {
  const service = (spec: object, status: object = {}) =>
    ({
      metadata: { name: "web", namespace: "ns" },
      spec: { ports: [{ name: "http", port: 80, protocol: "TCP" }], ...spec },
      status,
    }) as never;

  test.each([
    [service({ type: "ClusterIP", clusterIP: "10.1.1.1" }), { [`${K}service_cluster_ip`]: "10.1.1.1" }],
    [service({ type: "ExternalName", externalName: "x.org" }), { [`${K}service_external_name`]: "x.org" }],
    [
      service({ type: "LoadBalancer", clusterIP: "10.1.1.1", loadBalancerIP: "1.1.1.1" }),
      { [`${K}service_cluster_ip`]: "10.1.1.1", [`${K}service_loadbalancer_ip`]: "1.1.1.1" },
    ],
    [
      service(
        { type: "LoadBalancer", clusterIP: "", loadBalancerIP: "1.1.1.1" },
        { loadBalancer: { ingress: [{ ip: "2.2.2.2" }, { ip: "3.3.3.3" }] } },
      ),
      { [`${K}service_cluster_ip`]: "", [`${K}service_loadbalancer_ip`]: "2.2.2.2,3.3.3.3" },
    ],
  ])("finds a service by its name in the cluster (%#)", async (object, labels) => {
    cluster.put(SERVICES, object);
    start("role: service");
    await running.until((now) => now.targets().length > 0);
    expect(running.targets()).toEqual([
      {
        __address__: "web.ns.svc:80",
        [`${K}namespace`]: "ns",
        [`${K}service_name`]: "web",
        [`${K}service_port_name`]: "http",
        [`${K}service_port_number`]: "80",
        [`${K}service_port_protocol`]: "TCP",
        [`${K}service_type`]: (object as { spec: { type: string } }).spec.type,
        ...labels,
      },
    ]);
    expect(running.groups()[0]!.source).toBe("svc/ns/web");
  });
});

describe("what stands behind a service", () => {
  const webPod = pod("p1", "10.0.0.1", {
    spec: {
      nodeName: "n1",
      containers: [
        {
          name: "main",
          image: "web:1",
          ports: [
            { name: "http", containerPort: 8080, protocol: "TCP" },
            { name: "admin", containerPort: 9090, protocol: "TCP" },
          ],
        },
      ],
      initContainers: [],
    },
  });
  const podRef = { kind: "Pod", name: "p1", namespace: "ns" };

  test("role endpoints joins addresses, the service, the pods, and the pods' other ports", async () => {
    cluster.put(PODS, webPod);
    cluster.put(SERVICES, { metadata: { name: "web", namespace: "ns", labels: { s: "t" } } });
    cluster.put(ENDPOINTS, {
      metadata: { name: "web", namespace: "ns", labels: { e: "f" } },
      subsets: [
        {
          addresses: [{ ip: "10.0.0.1", nodeName: "n1", hostname: "h", targetRef: podRef }],
          notReadyAddresses: [{ ip: "10.0.0.2" }],
          ports: [{ name: "http", port: 8080, protocol: "TCP" }],
        },
      ],
    } as never);
    cluster.put(NODES, { metadata: { name: "n1", labels: { zone: "z1" } } });
    start("role: endpoints, attach_metadata: {node: true}");
    await running.until((now) => now.targets().length === 3);
    const shared = {
      [`${K}namespace`]: "ns",
      [`${K}endpoints_name`]: "web",
      [`${K}endpoints_label_e`]: "f",
      [`${K}endpoints_labelpresent_e`]: "true",
      [`${K}service_name`]: "web",
      [`${K}service_label_s`]: "t",
      [`${K}service_labelpresent_s`]: "true",
    };
    const endpoint = (ready: string) => ({
      [`${K}endpoint_port_name`]: "http",
      [`${K}endpoint_port_protocol`]: "TCP",
      [`${K}endpoint_ready`]: ready,
    });
    const behind = {
      [`${K}node_name`]: "n1",
      [`${K}node_label_zone`]: "z1",
      [`${K}node_labelpresent_zone`]: "true",
      [`${K}pod_name`]: "p1",
      [`${K}pod_ip`]: "10.0.0.1",
      [`${K}pod_ready`]: "true",
      [`${K}pod_phase`]: "Running",
      [`${K}pod_node_name`]: "n1",
      [`${K}pod_host_ip`]: "10.9.9.9",
      [`${K}pod_uid`]: "uid-p1",
      [`${K}pod_container_name`]: "main",
      [`${K}pod_container_image`]: "web:1",
      [`${K}pod_container_init`]: "false",
      [`${K}pod_container_port_protocol`]: "TCP",
    };
    expect(running.targets()).toEqual([
      {
        __address__: "10.0.0.1:8080",
        ...shared,
        ...endpoint("true"),
        [`${K}endpoint_address_target_kind`]: "Pod",
        [`${K}endpoint_address_target_name`]: "p1",
        [`${K}endpoint_node_name`]: "n1",
        [`${K}endpoint_hostname`]: "h",
        ...behind,
        [`${K}pod_container_port_name`]: "http",
        [`${K}pod_container_port_number`]: "8080",
      },
      {
        __address__: "10.0.0.1:9090",
        ...shared,
        ...behind,
        [`${K}pod_container_port_name`]: "admin",
        [`${K}pod_container_port_number`]: "9090",
      },
      { __address__: "10.0.0.2:8080", ...shared, ...endpoint("false") },
    ]);
    cluster.put(SERVICES, { metadata: { name: "web", namespace: "ns", labels: { s: "u" } } });
    await running.until((now) => now.targets().every((target) => target[`${K}service_label_s`] === "u"));
    cluster.delete(PODS, "ns", "p1");
    await running.until((now) => now.targets().length === 2);
  });

  const slice = (more: object = {}) =>
    ({
      metadata: { name: "web-x", namespace: "ns", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      endpoints: [
        {
          addresses: ["10.0.0.1"],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: "h",
          nodeName: "n1",
          zone: "z1",
          deprecatedTopology: { "topology.io/x": "y" },
          targetRef: podRef,
        },
        { addresses: ["10.0.0.2"] },
      ],
      ports: [{ name: "http", port: 8080, protocol: "TCP", appProtocol: "h2c" }],
      ...more,
    }) as never;

  test("role endpointslice does so for slices", async () => {
    cluster.put(PODS, webPod);
    cluster.put(SERVICES, { metadata: { name: "web", namespace: "ns" } });
    cluster.put(SLICES, slice());
    start("role: endpointslice");
    await running.until((now) => now.targets().length === 3);
    const S = `${K}endpointslice_`;
    expect(running.targets()[0]).toMatchObject({
      __address__: "10.0.0.1:8080",
      [`${K}service_name`]: "web",
      [`${S}name`]: "web-x",
      [`${S}address_type`]: "IPv4",
      [`${S}port`]: "8080",
      [`${S}port_name`]: "http",
      [`${S}port_protocol`]: "TCP",
      [`${S}port_app_protocol`]: "h2c",
      [`${S}endpoint_conditions_ready`]: "true",
      [`${S}endpoint_conditions_serving`]: "true",
      [`${S}endpoint_conditions_terminating`]: "false",
      [`${S}endpoint_hostname`]: "h",
      [`${S}endpoint_node_name`]: "n1",
      [`${S}endpoint_zone`]: "z1",
      [`${S}endpoint_topology_topology_io_x`]: "y",
      [`${S}endpoint_topology_present_topology_io_x`]: "true",
      [`${S}address_target_kind`]: "Pod",
      [`${S}address_target_name`]: "p1",
      [`${K}pod_container_port_number`]: "8080",
    });
    expect(running.targets()[1]).toMatchObject({
      __address__: "10.0.0.1:9090",
      [`${K}pod_container_port_name`]: "admin",
    });
    expect(Object.keys(running.targets()[2]!)).not.toContain(`${S}endpoint_conditions_ready`);
  });

  test("of a service with two families only the first one's slices count, and ports may be absent", async () => {
    cluster.put(SERVICES, {
      metadata: { name: "web", namespace: "ns" },
      spec: { ipFamilies: ["IPv6", "IPv4"] },
    } as never);
    cluster.put(SLICES, slice());
    cluster.put(
      SLICES,
      slice({
        metadata: { name: "web-6", namespace: "ns", labels: { "kubernetes.io/service-name": "web" } },
        addressType: "IPv6",
        endpoints: [{ addresses: ["2001::1"] }],
        ports: [{ name: "all" }, { port: 80 }],
      }),
    );
    start("role: endpointslice");
    await running.until((now) => now.targets().length === 2);
    expect(addresses(running)).toEqual(["2001::1", "[2001::1]:80"]);
  });
});

test("role ingress finds every path of every host", async () => {
  cluster.put(INGRESSES, {
    metadata: { name: "in", namespace: "ns" },
    spec: {
      ingressClassName: "nginx",
      tls: [{ hosts: ["*.example.org", "b.org"] }],
      rules: [
        { host: "a.example.org", http: { paths: [{ path: "/x" }, {}] } },
        { host: "deep.a.example.org" },
        { host: "b.org", http: { paths: [{ path: "/" }] } },
      ],
    },
  } as never);
  start("role: ingress");
  await running.until((now) => now.targets().length === 4);
  const found = running
    .targets()
    .map((target) => [target["__address__"], target[`${K}ingress_scheme`], target[`${K}ingress_path`]]);
  expect(found).toEqual([
    ["a.example.org", "https", "/x"],
    ["a.example.org", "https", "/"],
    ["b.org", "https", "/"],
    ["deep.a.example.org", "http", "/"],
  ]);
  expect(running.targets()[0]).toMatchObject({
    [`${K}namespace`]: "ns",
    [`${K}ingress_name`]: "in",
    [`${K}ingress_class_name`]: "nginx",
    [`${K}ingress_host`]: "a.example.org",
  });
});

describe("access to a cluster", () => {
  let folder: string;
  const access = (fields: string, environment: Record<string, string> = {}) => {
    const [config] = discoveryLists(
      `kubernetes_sd_configs: [{role: pod, ${fields}}]`,
      join(folder, "p.yml"),
    ).kubernetesConfigs;
    return clusterAccess(config!, realSurroundings({ environment }), folder);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "narthex-kube-"));
    running = runMechanism({ run: () => Promise.resolve() });
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  test("is the pod's service account where nothing else is configured", () => {
    writeFileSync(join(folder, "namespace"), "mine\n");
    const inCluster = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    expect(access("namespaces: {own_namespace: true}", inCluster)).toMatchObject({
      baseUrl: "https://[fd00::1]:443",
      ownNamespace: "mine",
      http: {
        authorization: { type: "Bearer", credentialsFile: join(folder, "token") },
        tls: { caFile: join(folder, "ca.crt") },
      },
    });
    expect(() => access("")).toThrow("unable to load in-cluster configuration");
  });

  test("comes from the current context of a kubeconfig", () => {
    writeFileSync(
      join(folder, "config"),
      `
current-context: c
contexts: [{name: c, context: {cluster: k, user: u, namespace: n}}]
clusters: [{name: k, cluster: {server: "https://h:6443/", certificate-authority-data: ${Buffer.from("CA").toString("base64")}}}]
users: [{name: u, user: {client-certificate: cert.pem, client-key-data: ${Buffer.from("KEY").toString("base64")}, token: tok}}]
`,
    );
    expect(access("kubeconfig_file: config")).toMatchObject({
      baseUrl: "https://h:6443",
      ownNamespace: "n",
      http: {
        tls: { ca: "CA", certFile: join(folder, "cert.pem"), key: "KEY", insecureSkipVerify: false },
        authorization: { type: "Bearer", credentials: "tok" },
      },
    });
  });

  test("has tokens of a helper program: kept while they last, asked for anew once refused", async () => {
    const program = join(folder, "helper");
    writeFileSync(
      program,
      `#!/bin/sh
echo "$1 $REGION $KUBERNETES_EXEC_INFO" >> "${folder}/runs"
[ -e "${folder}/fails" ] && exit 3
printf '{"kind": "ExecCredential", "status": {"token": "%s", "expirationTimestamp": "%s"}}' \\
  "$(cat "${folder}/token")" "$(cat "${folder}/ends")"
`,
      { mode: 0o755 },
    );
    const runs = () => readFileSync(join(folder, "runs"), "utf8").trim().split("\n");
    const give = (token: string, ends: string) => {
      writeFileSync(join(folder, "token"), token);
      writeFileSync(join(folder, "ends"), ends);
    };
    writeFileSync(
      join(folder, "config"),
      `
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "${cluster.server.url}"}}]
users: [{name: u, user: {exec: {apiVersion: v1, command: ./helper, args: [get], env: [{name: REGION, value: eu}], provideClusterInfo: true}}}]
`,
    );
    give("one", "2100-01-01T00:00:00Z");
    cluster.token = "one";
    cluster.put(PODS, pod("p1", "10.0.0.1"));
    cluster.put(PODS, pod("p2", "10.0.0.2"));
    const [config] = discoveryLists(
      "kubernetes_sd_configs: [{role: pod, kubeconfig_file: config}]",
      join(folder, "p.yml"),
    ).kubernetesConfigs;
    running = runMechanism(
      kubernetesDiscovery(config!, { ...surroundings, environment: { PATH: process.env["PATH"] } }),
    );
    await running.until((now) => now.groups().length === 2);
    // Two pages of the list, and the watch, all with one token.
    expect(runs()).toHaveLength(1);
    expect(runs()[0]).toMatch(/^get eu \{"apiVersion":"v1","kind":"ExecCredential","spec":\{/);
    expect(runs()[0]).toContain(`"cluster":{"server":"${cluster.server.url}"}`);
    // The cluster forgets it; the next one has ended as soon as it comes.
    await eventually("a watch", () => Promise.resolve(cluster.watchCount === 1));
    cluster.token = "two";
    give("two", "2000-01-01T00:00:00Z");
    cluster.endWatches();
    cluster.put(PODS, pod("p3", "10.0.0.3"));
    await running.until((now) => now.groups().length === 3);
    const before = runs().length;
    writeFileSync(join(folder, "fails"), "");
    await eventually("a watch", () => Promise.resolve(cluster.watchCount === 1));
    cluster.endWatches();
    await eventually("a failure of the program", () =>
      Promise.resolve(surroundings.logged.some((line) => line.includes("cannot get credentials from"))),
    );
    expect(runs().length).toBeGreaterThan(before);
    expect(running.groups()).toHaveLength(3);
  });

  test.each([
    ["current-context: x", 'there is no context "x"'],
    ["{current-context: c, contexts: [{name: c, context: {cluster: k}}]}", 'there is no cluster "k"'],
    ...[
      ["exec: {}", "exec has no command"],
      ["auth-provider: {name: gcp}", "it names an auth-provider, where exec must stand"],
    ].map(([user, message]) => [
      `{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}], clusters: [{name: k, cluster: {server: x}}], users: [{name: u, user: {${user}}}]}`,
      message!,
    ]),
  ])("a kubeconfig of %s is refused: %s", (text, message) => {
    writeFileSync(join(folder, "config"), text);
    expect(() => access("kubeconfig_file: config")).toThrow(message);
  });
});
