import { afterEach, describe, expect, test } from "vitest";
import type { DiscoveryMechanismName } from "../../src/config/discovery-mechanisms.ts";
import { createMechanism } from "../../src/discovery/create-mechanism.ts";
import { createHttpClient } from "../../src/http-client/index.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeServer, sendJson, sendStatus } from "../support/fake-server.ts";

let server: FakeServer;
let running: Running;
let authorizations: Set<unknown>;
let tokens: Set<unknown>;

/** Starts a mechanism whose provider's address leads to a server with these answers, by path and query. */
async function start(
  name: DiscoveryMechanismName,
  fields: string,
  answers: Record<string, unknown>,
): Promise<void> {
  authorizations = new Set();
  tokens = new Set();
  server = await FakeServer.start((request, _url, response) => {
    authorizations.add(request.headers.authorization);
    tokens.add(request.headers["x-auth-token"]);
    const path = request.url ?? "";
    if (path in answers) sendJson(response, answers[path]);
    else sendStatus(response, 404);
  });
  const surroundings = {
    ...realSurroundings({ maxSleepMs: 20 }),
    createHttpClient: (options: Parameters<typeof createHttpClient>[0]) => {
      const client = createHttpClient(options, { environment: {} });
      return {
        requestWhole: client.requestWhole.bind(client),
        request: (url: string, request: Parameters<typeof client.request>[1]) =>
          client.request(url.replace(/^https:\/\/[^/]+/, server.url), request),
        close: () => client.close(),
      };
    },
  };
  const lists = discoveryLists(`${name}_sd_configs: [{${fields}}]`);
  const [config] = lists[`${name}Configs`] as readonly Parameters<typeof createMechanism>[1][];
  running = runMechanism(createMechanism(name, config!, "j", surroundings));
  await running.until((now) => now.targets().length > 0);
}

afterEach(async () => {
  await running.stop();
  await server.stop();
});

describe("digitalocean discovery", () => {
  const D = "__meta_digitalocean_";
  const droplet = (id: number, v4: unknown[]) => ({
    id,
    name: `web-${id}`,
    size_slug: "s-1",
    status: "active",
    vpc_uuid: "vpc",
    features: ["ipv6"],
    tags: ["a", "b"],
    image: { slug: "ubuntu", name: "20.04" },
    region: { slug: "nyc1" },
    networks: { v4, v6: [{ ip_address: "2604::1", type: "public" }] },
  });

  test("finds droplets page by page", async () => {
    const addresses = [
      { ip_address: "10.0.0.1", type: "private" },
      { ip_address: "1.2.3.4", type: "public" },
    ];
    await start("digitalocean", "bearer_token: tok", {
      "/v2/droplets?page=1&per_page=200": {
        droplets: [droplet(1, addresses), droplet(2, [])],
        links: { pages: { next: "x" } },
      },
      "/v2/droplets?page=2&per_page=200": { droplets: [droplet(3, addresses)], links: {} },
    });
    expect(running.targets()).toHaveLength(2);
    expect(running.targets()[0]).toEqual({
      __address__: "1.2.3.4:80",
      [`${D}droplet_id`]: "1",
      [`${D}droplet_name`]: "web-1",
      [`${D}image`]: "ubuntu",
      [`${D}image_name`]: "20.04",
      [`${D}private_ipv4`]: "10.0.0.1",
      [`${D}public_ipv4`]: "1.2.3.4",
      [`${D}public_ipv6`]: "2604::1",
      [`${D}region`]: "nyc1",
      [`${D}size`]: "s-1",
      [`${D}status`]: "active",
      [`${D}vpc`]: "vpc",
      [`${D}features`]: ",ipv6,",
      [`${D}tags`]: ",a,b,",
    });
    expect(authorizations).toEqual(new Set(["Bearer tok"]));
  });

  test("finds databases, by their private host where they have one", async () => {
    await start("digitalocean", "role: databases, port: 9273", {
      "/v2/databases?page=1&per_page=200": {
        databases: [
          {
            id: "d1",
            name: "pg",
            engine: "pg",
            version: "15",
            status: "online",
            region: "nyc1",
            size: "db-s-1",
            num_nodes: 2,
            tags: ["my-tag"],
            connection: { host: "pg.public" },
            private_connection: { host: "pg.private" },
          },
        ],
      },
    });
    expect(running.targets()).toEqual([
      {
        __address__: "pg.private:9273",
        [`${D}db_id`]: "d1",
        [`${D}db_name`]: "pg",
        [`${D}db_engine`]: "pg",
        [`${D}db_version`]: "15",
        [`${D}db_status`]: "online",
        [`${D}db_region`]: "nyc1",
        [`${D}db_size`]: "db-s-1",
        [`${D}db_num_nodes`]: "2",
        [`${D}db_host`]: "pg.public",
        [`${D}db_private_host`]: "pg.private",
        [`${D}db_tag_my_tag`]: "true",
      },
    ]);
  });
});

describe("hetzner discovery", () => {
  const H = "__meta_hetzner_";

  test("finds cloud servers with their networks", async () => {
    const cloudServer = {
      id: 42,
      name: "web",
      status: "running",
      public_net: { ipv4: { ip: "1.2.3.4" }, ipv6: { ip: "2001:db8::/64" } },
      private_net: [{ network: 7, ip: "10.0.0.2" }],
      server_type: { name: "cx11", cores: 1, cpu_type: "shared", memory: 2, disk: 25 },
      datacenter: { name: "fsn1-dc8", location: { name: "fsn1", network_zone: "eu-central" } },
      image: { name: "ubuntu-20.04", description: "Ubuntu", os_flavor: "ubuntu", os_version: "20.04" },
      labels: { "my-key": "v" },
    };
    await start("hetzner", "role: hcloud, bearer_token: tok, label_selector: 'a==b'", {
      "/v1/servers?page=1&per_page=50&label_selector=a%3D%3Db": {
        servers: [cloudServer],
        meta: { pagination: { next_page: null } },
      },
      "/v1/networks?page=1&per_page=50": { networks: [{ id: 7, name: "my-net" }] },
    });
    expect(running.targets()).toEqual([
      {
        __address__: "1.2.3.4:80",
        [`${H}role`]: "hcloud",
        [`${H}server_id`]: "42",
        [`${H}server_name`]: "web",
        [`${H}server_status`]: "running",
        [`${H}public_ipv4`]: "1.2.3.4",
        [`${H}public_ipv6_network`]: "2001:db8::/64",
        [`${H}datacenter`]: "fsn1-dc8",
        [`${H}hcloud_datacenter_location`]: "fsn1",
        [`${H}hcloud_datacenter_location_network_zone`]: "eu-central",
        [`${H}hcloud_location`]: "fsn1",
        [`${H}hcloud_location_network_zone`]: "eu-central",
        [`${H}hcloud_server_type`]: "cx11",
        [`${H}hcloud_cpu_cores`]: "1",
        [`${H}hcloud_cpu_type`]: "shared",
        [`${H}hcloud_memory_size_gb`]: "2",
        [`${H}hcloud_disk_size_gb`]: "25",
        [`${H}hcloud_image_name`]: "ubuntu-20.04",
        [`${H}hcloud_image_description`]: "Ubuntu",
        [`${H}hcloud_image_os_flavor`]: "ubuntu",
        [`${H}hcloud_image_os_version`]: "20.04",
        [`${H}hcloud_label_my_key`]: "v",
        [`${H}hcloud_labelpresent_my_key`]: "true",
        [`${H}hcloud_private_ipv4_my_net`]: "10.0.0.2",
      },
    ]);
  });

  test("finds dedicated servers", async () => {
    await start("hetzner", "role: robot, basic_auth: {username: u, password: p}", {
      "/server": [
        {
          server: {
            server_ip: "1.2.3.4",
            server_number: 321,
            server_name: "s1",
            dc: "NBG1-DC1",
            status: "ready",
            product: "DS 3000",
            cancelled: false,
            subnet: [{ ip: "2a01:4f8::", mask: "64" }],
          },
        },
      ],
    });
    expect(running.targets()).toEqual([
      {
        __address__: "1.2.3.4:80",
        [`${H}role`]: "robot",
        [`${H}server_id`]: "321",
        [`${H}server_name`]: "s1",
        [`${H}server_status`]: "ready",
        [`${H}public_ipv4`]: "1.2.3.4",
        [`${H}public_ipv6_network`]: "2a01:4f8::/64",
        [`${H}datacenter`]: "nbg1-dc1",
        [`${H}robot_datacenter`]: "nbg1-dc1",
        [`${H}robot_product`]: "DS 3000",
        [`${H}robot_cancelled`]: "false",
      },
    ]);
    expect(authorizations).toEqual(new Set([`Basic ${Buffer.from("u:p").toString("base64")}`]));
  });
});

test("vultr discovery follows the cursor", async () => {
  const V = "__meta_vultr_instance_";
  await start("vultr", "bearer_token: tok", {
    "/v2/instances?per_page=100": {
      instances: [
        {
          id: "i1",
          label: "web",
          os: "Debian",
          os_id: 352,
          region: "ewr",
          plan: "vc2",
          main_ip: "1.2.3.4",
          internal_ip: "10.0.0.1",
          v6_main_ip: "2001::1",
          hostname: "h",
          server_status: "ok",
          vcpu_count: 1,
          ram: 1024,
          allowed_bandwidth: 1000,
          disk: 25,
          features: ["ipv6"],
          tags: ["a"],
        },
      ],
      meta: { links: { next: "c2" } },
    },
    "/v2/instances?per_page=100&cursor=c2": {
      instances: [{ id: "i2", main_ip: "1.2.3.5" }],
      meta: { links: { next: "" } },
    },
  });
  expect(running.targets()[0]).toEqual({
    __address__: "1.2.3.4:80",
    [`${V}id`]: "i1",
    [`${V}label`]: "web",
    [`${V}os`]: "Debian",
    [`${V}os_id`]: "352",
    [`${V}region`]: "ewr",
    [`${V}plan`]: "vc2",
    [`${V}main_ip`]: "1.2.3.4",
    [`${V}internal_ip`]: "10.0.0.1",
    [`${V}main_ipv6`]: "2001::1",
    [`${V}hostname`]: "h",
    [`${V}server_status`]: "ok",
    [`${V}vcpu_count`]: "1",
    [`${V}ram_mb`]: "1024",
    [`${V}allowed_bandwidth_gb`]: "1000",
    [`${V}disk_gb`]: "25",
    [`${V}features`]: ",ipv6,",
    [`${V}tags`]: ",a,",
  });
  expect(running.targets()[1]!["__address__"]).toBe("1.2.3.5:80");
});

describe("triton discovery", () => {
  const fields = "account: acc, dns_suffix: cmon.test, endpoint: cmon.test";

  test("finds containers of groups", async () => {
    await start("triton", `${fields}, groups: [a, b]`, {
      "/v1/discover?groups=a%2Cb": {
        containers: [
          {
            groups: ["a", "b"],
            server_uuid: "s1",
            vm_alias: "web",
            vm_brand: "lx",
            vm_image_uuid: "img",
            vm_uuid: "vm1",
          },
        ],
      },
    });
    expect(running.targets()).toEqual([
      {
        __address__: "vm1.cmon.test:9163",
        __meta_triton_machine_id: "vm1",
        __meta_triton_machine_alias: "web",
        __meta_triton_machine_brand: "lx",
        __meta_triton_machine_image: "img",
        __meta_triton_server_id: "s1",
        __meta_triton_groups: ",a,b,",
      },
    ]);
  });

  test("finds compute nodes", async () => {
    await start("triton", `${fields}, role: cn`, {
      "/v1/gz/discover": { cns: [{ server_hostname: "h1", server_uuid: "s1" }] },
    });
    expect(running.targets()).toEqual([
      { __address__: "s1.cmon.test:9163", __meta_triton_machine_id: "s1", __meta_triton_machine_alias: "h1" },
    ]);
  });
});

test("ionos discovery takes the first address of the last card", async () => {
  const I = "__meta_ionos_server_";
  await start("ionos", "datacenter_id: dc, bearer_token: tok", {
    "/cloudapi/v6/datacenters/dc/servers?depth=3": {
      id: "dc/servers",
      items: [
        {
          id: "s1",
          metadata: { state: "AVAILABLE" },
          properties: {
            name: "web",
            availabilityZone: "ZONE_1",
            cpuFamily: "INTEL",
            type: "ENTERPRISE",
            vmState: "RUNNING",
            bootVolume: { id: "v1" },
          },
          entities: {
            nics: {
              items: [
                { properties: { name: "pub-lic", ips: ["1.2.3.4", "1.2.3.5"] } },
                { properties: { ips: ["10.0.0.1"] } },
              ],
            },
            volumes: { items: [{ id: "v1", properties: { image: "img" } }] },
          },
        },
        { id: "s2" },
      ],
    },
  });
  expect(running.targets()).toEqual([
    {
      __address__: "10.0.0.1:80",
      [`${I}nic_ip_pub_lic`]: ",1.2.3.4,1.2.3.5,",
      [`${I}nic_ip_unnamed`]: ",10.0.0.1,",
      [`${I}ip`]: ",1.2.3.4,1.2.3.5,10.0.0.1,",
      [`${I}id`]: "s1",
      [`${I}name`]: "web",
      [`${I}availability_zone`]: "ZONE_1",
      [`${I}cpu_family`]: "INTEL",
      [`${I}lifecycle`]: "AVAILABLE",
      [`${I}servers_id`]: "dc/servers",
      [`${I}state`]: "RUNNING",
      [`${I}type`]: "ENTERPRISE",
      [`${I}boot_volume_id`]: "v1",
      [`${I}boot_image_id`]: "img",
    },
  ]);
});

describe("scaleway discovery", () => {
  const fields = "project_id: proj, access_key: AK, secret_key: SK";

  test("finds instances, by their private address first", async () => {
    const I = "__meta_scaleway_instance_";
    const server = {
      id: "i1",
      name: "web",
      state: "running",
      hostname: "h",
      boot_type: "local",
      organization: "org",
      project: "proj",
      commercial_type: "DEV1-S",
      zone: "fr-par-1",
      tags: ["a", "b"],
      image: { id: "im", name: "Ubuntu", arch: "x86_64" },
      location: { cluster_id: "1", hypervisor_id: "2", node_id: "3" },
      security_group: { id: "sg", name: "default" },
      private_ip: "10.0.0.1",
      public_ips: [{ address: "1.2.3.4" }, { address: "2001::1" }],
    };
    await start("scaleway", `${fields}, role: instance, name_filter: web, tags_filter: [a, b]`, {
      "/instance/v1/zones/fr-par-1/servers?page=1&per_page=100&project=proj&name=web&tags=a%2Cb": {
        servers: [
          server,
          { ...server, id: "i2", private_ip: null },
          { ...server, private_ip: null, public_ips: [] },
        ],
      },
    });
    expect(running.targets().map((target) => target["__address__"])).toEqual(["1.2.3.4:80", "10.0.0.1:80"]);
    expect(running.targets()[1]).toEqual({
      __address__: "10.0.0.1:80",
      [`${I}boot_type`]: "local",
      [`${I}hostname`]: "h",
      [`${I}id`]: "i1",
      [`${I}image_arch`]: "x86_64",
      [`${I}image_id`]: "im",
      [`${I}image_name`]: "Ubuntu",
      [`${I}location_cluster_id`]: "1",
      [`${I}location_hypervisor_id`]: "2",
      [`${I}location_node_id`]: "3",
      [`${I}name`]: "web",
      [`${I}organization_id`]: "org",
      [`${I}private_ipv4`]: "10.0.0.1",
      [`${I}project_id`]: "proj",
      [`${I}public_ipv4`]: "1.2.3.4",
      [`${I}public_ipv4_addresses`]: ",1.2.3.4,",
      [`${I}public_ipv6`]: "2001::1",
      [`${I}public_ipv6_addresses`]: ",2001::1,",
      [`${I}region`]: "fr-par",
      [`${I}security_group_id`]: "sg",
      [`${I}security_group_name`]: "default",
      [`${I}status`]: "running",
      [`${I}tags`]: ",a,b,",
      [`${I}type`]: "DEV1-S",
      [`${I}zone`]: "fr-par-1",
    });
    expect(tokens).toEqual(new Set(["SK"]));
  });

  test("finds bare metal servers with their systems", async () => {
    const B = "__meta_scaleway_baremetal_";
    await start("scaleway", `${fields}, role: baremetal, zone: fr-par-2`, {
      "/baremetal/v1/zones/fr-par-2/servers?page=1&page_size=100&project_id=proj": {
        servers: [
          {
            id: "b1",
            name: "metal",
            status: "ready",
            project_id: "proj",
            offer_name: "GP-BM1-M",
            zone: "fr-par-2",
            tags: ["x"],
            ips: [
              { address: "2001::2", version: "IPv6" },
              { address: "1.2.3.5", version: "IPv4" },
            ],
            install: { os_id: "o1" },
          },
        ],
      },
      "/baremetal/v1/zones/fr-par-2/os": { os: [{ id: "o1", name: "Ubuntu", version: "20.04" }] },
    });
    expect(running.targets()).toEqual([
      {
        __address__: "1.2.3.5:80",
        [`${B}id`]: "b1",
        [`${B}name`]: "metal",
        [`${B}os_name`]: "Ubuntu",
        [`${B}os_version`]: "20.04",
        [`${B}project_id`]: "proj",
        [`${B}public_ipv4`]: "1.2.3.5",
        [`${B}public_ipv6`]: "2001::2",
        [`${B}status`]: "ready",
        [`${B}tags`]: ",x,",
        [`${B}type`]: "GP-BM1-M",
        [`${B}zone`]: "fr-par-2",
      },
    ]);
  });
});
