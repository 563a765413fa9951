/**
 * Discovery by asking a provider of machines or a service registry of an older kind. Each is read and checked as
 * Prometheus does; `IDLE_MECHANISMS` says which of them find no targets yet.
 */
import { quote } from "../../model/quote.ts";
import { Secret } from "../secret.ts";
import {
  boolean,
  duration,
  field,
  filePath,
  integer,
  list,
  secret,
  section,
  text,
  url,
  type Report,
} from "./config-type.ts";
import { finishHttpClient, httpClientFields, tlsConfig, type HttpClientConfig } from "./http-client.ts";

const NO_SECRET = new Secret("");
const NO_TLS = tlsConfig.schema.parse({});
const SECOND = 1_000;
const MINUTE = 60_000;

const polled = (refreshMs: number, port = 80) => ({
  refreshInterval: field(duration, refreshMs),
  port: field(integer, port),
});

function needs(
  value: Readonly<Record<string, unknown>>,
  names: readonly string[],
  report: Report,
  say: (key: string) => string,
) {
  for (const name of names) {
    const given = value[name];
    const isMissing = given instanceof Secret ? given.isEmpty : given === "";
    if (isMissing) report(say(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)));
  }
}

const finishClient = <T extends HttpClientConfig>(value: T, report: Report): T =>
  finishHttpClient(value, report);

const azure = section(
  "azure.plain",
  {
    environment: field(text, "AzurePublicCloud"),
    port: field(integer, 80),
    subscriptionId: field(text, ""),
    tenantId: field(text, ""),
    clientId: field(text, ""),
    clientSecret: field(secret, NO_SECRET),
    refreshInterval: field(duration, 5 * MINUTE),
    authenticationMethod: field(text, "OAuth"),
    resourceGroup: field(text, ""),
    ...httpClientFields,
  },
  (value, report) => {
    const say = (key: string) => `azure SD configuration requires a ${key}`;
    needs(value, ["subscriptionId"], report, say);
    if (value.authenticationMethod === "OAuth") {
      needs(value, ["tenantId", "clientId", "clientSecret"], report, say);
    }
    if (!["OAuth", "ManagedIdentity", "SDK", "WorkloadIdentity"].includes(value.authenticationMethod)) {
      report(
        `unknown authentication_type ${quote(value.authenticationMethod)}. Supported types are "OAuth", "ManagedIdentity", "WorkloadIdentity" or "SDK"`,
        ["authentication_method"],
      );
    }
    return finishHttpClient(value, report);
  },
);

const digitalocean = section(
  "digitalocean.plain",
  { ...httpClientFields, role: field(text, "droplets"), ...polled(MINUTE) },
  (value, report) => {
    if (!["droplets", "databases"].includes(value.role)) {
      report(`unknown role ${quote(value.role)}, must be one of "droplets" or "databases"`, ["role"]);
    }
    return finishHttpClient(value, report);
  },
);

const filters = field(
  list(
    section(
      "ec2.Filter",
      {
        name: field(text, "", { printsEmpty: true }),
        values: field(list(text), [], { printsEmpty: true }),
      },
      ({ values }, report) => {
        if (values.length === 0) report("EC2 SD configuration filter values cannot be empty");
      },
    ),
  ),
  [],
  { printsEmpty: true },
);

const awsFields = {
  endpoint: field(text, "", { printsEmpty: true }),
  region: field(text, "", { printsEmpty: true }),
  accessKey: field(text, ""),
  secretKey: field(secret, NO_SECRET),
  profile: field(text, ""),
  roleArn: field(text, ""),
  externalId: field(text, ""),
  refreshInterval: field(duration, MINUTE),
  port: field(integer, 80, { printsEmpty: true }),
};

const clusterFields = (concurrency: number) => ({
  clusters: field(list(text), []),
  requestConcurrency: field(integer, concurrency),
});

const ec2 = section("aws.plain", { ...awsFields, filters, ...httpClientFields }, finishClient);
const lightsail = section("aws.plain", { ...awsFields, ...httpClientFields }, finishClient);
const ecs = section("aws.plain", { ...awsFields, ...clusterFields(20), ...httpClientFields }, finishClient);
const msk = section("aws.plain", { ...awsFields, ...clusterFields(10), ...httpClientFields }, finishClient);
const elasticache = section(
  "aws.plain",
  { ...awsFields, ...clusterFields(10), ...httpClientFields },
  finishClient,
);
const rds = section(
  "aws.plain",
  { ...awsFields, ...clusterFields(10), filters, ...httpClientFields },
  finishClient,
);
const aws = section(
  "aws.plain",
  { role: field(text, ""), ...awsFields, filters, ...clusterFields(10), ...httpClientFields },
  (value, report) => {
    if (!["ec2", "lightsail", "ecs", "msk", "rds", "elasticache"].includes(value.role)) {
      report(`unknown AWS SD role ${quote(value.role)}`, ["role"]);
    }
    return finishHttpClient(value, report);
  },
);

const gce = section(
  "gce.plain",
  {
    project: field(text, ""),
    zone: field(text, ""),
    filter: field(text, ""),
    ...polled(MINUTE),
    tagSeparator: field(text, ","),
  },
  (value, report) =>
    needs(value, ["project", "zone"], report, (key) => `GCE SD configuration requires a ${key}`),
);

const hetzner = section(
  "hetzner.plain",
  { ...httpClientFields, ...polled(MINUTE), role: field(text, ""), labelSelector: field(text, "") },
  (value, report) => {
    if (value.role === "") report("role missing (one of: robot, hcloud)");
    else if (!["robot", "hcloud"].includes(value.role)) {
      report(`unknown role ${quote(value.role)}`, ["role"]);
    }
    return finishHttpClient(value, report);
  },
);

const ionos = section(
  "ionos.plain",
  { datacenterId: field(text, ""), ...httpClientFields, ...polled(MINUTE) },
  (value, report) => {
    if (value.datacenterId === "") report("datacenter id can't be empty");
    return finishHttpClient(value, report);
  },
);

const kuma = section(
  "xds.plain",
  {
    ...httpClientFields,
    refreshInterval: field(duration, 15 * SECOND),
    fetchTimeout: field(duration, 2 * MINUTE),
    server: field(text, ""),
    clientId: field(text, ""),
  },
  (value, report) => {
    if (value.server === "") report("kuma SD server must not be empty");
    return finishHttpClient(value, report);
  },
);

const linode = section(
  "linode.plain",
  { ...httpClientFields, ...polled(MINUTE), tagSeparator: field(text, ","), region: field(text, "") },
  finishClient,
);

const zookeeperTree = (what: string) =>
  section(
    "zookeeper.plain",
    {
      servers: field(list(text), [], { printsEmpty: true }),
      paths: field(list(text), [], { printsEmpty: true }),
      timeout: field(duration, 10 * SECOND),
    },
    ({ paths, servers }, report) => {
      if (servers.length === 0) report(`${what} SD config must contain at least one Zookeeper server`);
      if (paths.length === 0) report(`${what} SD config must contain at least one path`);
      for (const [i, path] of paths.entries()) {
        if (!path.startsWith("/"))
          report(`${what} SD config paths must begin with '/': ${path}`, ["paths", i]);
      }
    },
  );

const oci = section("oci.plain", {
  region: field(text, ""),
  auth: field(text, "api_key"),
  tenancy: field(text, ""),
  user: field(text, ""),
  fingerprint: field(text, ""),
  keyFile: field(filePath, ""),
  keyPassphrase: field(secret, NO_SECRET),
  keyPassphraseFile: field(filePath, ""),
  compartments: field(list(text), []),
  ...polled(MINUTE),
});

const openstack = section(
  "openstack.plain",
  {
    identityEndpoint: field(text, "", { printsEmpty: true }),
    username: field(text, "", { printsEmpty: true }),
    userid: field(text, "", { printsEmpty: true }),
    password: field(secret, NO_SECRET, { printsEmpty: true }),
    projectName: field(text, "", { printsEmpty: true }),
    projectId: field(text, "", { printsEmpty: true }),
    domainName: field(text, "", { printsEmpty: true }),
    domainId: field(text, "", { printsEmpty: true }),
    applicationCredentialName: field(text, "", { printsEmpty: true }),
    applicationCredentialId: field(text, "", { printsEmpty: true }),
    applicationCredentialSecret: field(secret, NO_SECRET, { printsEmpty: true }),
    role: field(text, "", { printsEmpty: true }),
    region: field(text, "", { printsEmpty: true }),
    refreshInterval: field(duration, MINUTE),
    port: field(integer, 80, { printsEmpty: true }),
    allTenants: field(boolean, false),
    tlsConfig: field(tlsConfig, NO_TLS),
    availability: field(text, "public"),
  },
  (value, report) => {
    const roles = ["instance", "hypervisor", "loadbalancer"];
    if (value.role === "") report("role missing (one of: instance, hypervisor, loadbalancer)");
    else if (!roles.includes(value.role)) report(`unknown OpenStack SD role ${quote(value.role)}`, ["role"]);
    if (value.region === "") report("openstack SD configuration requires a region");
    if (!["public", "internal", "admin"].includes(value.availability)) {
      report(`unknown availability ${value.availability}, must be one of admin, internal or public`, [
        "availability",
      ]);
    }
  },
);

const outscale = section(
  "outscale.plain",
  {
    region: field(text, ""),
    endpoint: field(text, ""),
    accessKey: field(text, ""),
    secretKey: field(secret, NO_SECRET),
    secretKeyFile: field(filePath, ""),
    ...polled(MINUTE),
    ...httpClientFields,
  },
  finishClient,
);

const ovhcloud = section(
  "ovhcloud.plain",
  {
    endpoint: field(text, "ovh-eu", { printsEmpty: true }),
    applicationKey: field(text, "", { printsEmpty: true }),
    applicationSecret: field(secret, NO_SECRET, { printsEmpty: true }),
    consumerKey: field(secret, NO_SECRET, { printsEmpty: true }),
    refreshInterval: field(duration, MINUTE),
    service: field(text, "", { printsEmpty: true }),
  },
  (value, report) => {
    needs(value, ["endpoint"], report, () => "endpoint can not be empty");
    needs(value, ["applicationKey"], report, () => "application key can not be empty");
    needs(value, ["applicationSecret"], report, () => "application secret can not be empty");
    needs(value, ["consumerKey"], report, () => "consumer key can not be empty");
    if (!["vps", "dedicated_server"].includes(value.service)) {
      report(`unknown service: ${value.service}`, ["service"]);
    }
  },
);

const puppetdb = section(
  "puppetdb.plain",
  {
    ...httpClientFields,
    refreshInterval: field(duration, MINUTE, { printsEmpty: true }),
    url: field(url, "", { printsEmpty: true }),
    query: field(text, "", { printsEmpty: true }),
    includeParameters: field(boolean, false, { printsEmpty: true }),
    port: field(integer, 80, { printsEmpty: true }),
  },
  (value, report) => {
    if (value.url === "") report("URL is missing");
    else if (!/^https?:/.test(value.url)) report("URL scheme must be 'http' or 'https'", ["url"]);
    else if (!/^https?:\/\/[^/?#]/.test(value.url)) report("host is missing in URL", ["url"]);
    if (value.query === "") report("query missing");
    return finishHttpClient(value, report);
  },
);

const scaleway = section(
  "scaleway.plain",
  {
    projectId: field(text, "", { printsEmpty: true }),
    apiUrl: field(text, "https://api.scaleway.com"),
    zone: field(text, "fr-par-1", { printsEmpty: true }),
    accessKey: field(text, "", { printsEmpty: true }),
    secretKey: field(secret, NO_SECRET, { printsEmpty: true }),
    secretKeyFile: field(filePath, "", { printsEmpty: true }),
    nameFilter: field(text, ""),
    tagsFilter: field(list(text), []),
    ...httpClientFields,
    refreshInterval: field(duration, MINUTE, { printsEmpty: true }),
    port: field(integer, 80, { printsEmpty: true }),
    role: field(text, "", { printsEmpty: true }),
  },
  (value, report) => {
    if (value.role === "") report("role missing (one of: instance, baremetal)");
    else if (!["instance", "baremetal"].includes(value.role))
      report(`unknown role ${quote(value.role)}`, ["role"]);
    if (value.projectId === "") report("project_id is mandatory");
    if (value.secretKey.isEmpty === (value.secretKeyFile === "")) {
      report(
        value.secretKey.isEmpty
          ? "one of secret_key & secret_key_file must be configured"
          : "at most one of secret_key & secret_key_file must be configured",
      );
    }
    if (value.accessKey === "") report("access_key is mandatory");
    return finishHttpClient(value, report);
  },
);

const stackit = section(
  "stackit.plain",
  {
    ...httpClientFields,
    project: field(text, ""),
    region: field(text, ""),
    endpoint: field(text, ""),
    serviceAccountKey: field(secret, NO_SECRET),
    serviceAccountKeyPath: field(filePath, ""),
    privateKey: field(secret, NO_SECRET),
    privateKeyPath: field(filePath, ""),
    credentialsFilePath: field(filePath, ""),
    ...polled(MINUTE),
  },
  (value, report) => {
    if (value.endpoint === "" && value.region === "") report("stackit_sd: endpoint or region missing");
    return finishHttpClient(value, report);
  },
);

const triton = section(
  "triton.plain",
  {
    account: field(text, "", { printsEmpty: true }),
    role: field(text, "container", { printsEmpty: true }),
    dnsSuffix: field(text, "", { printsEmpty: true }),
    endpoint: field(text, "", { printsEmpty: true }),
    groups: field(list(text), []),
    port: field(integer, 9163, { printsEmpty: true }),
    refreshInterval: field(duration, MINUTE),
    tlsConfig: field(tlsConfig, NO_TLS),
    version: field(integer, 1, { printsEmpty: true }),
  },
  (value, report) => {
    if (!["container", "cn"].includes(value.role)) {
      report("triton SD configuration requires role to be 'container' or 'cn'", ["role"]);
    }
    if (value.account === "") report("triton SD configuration requires an account");
    if (value.dnsSuffix === "") report("triton SD configuration requires a dns_suffix");
    if (value.endpoint === "") report("triton SD configuration requires an endpoint");
    if (value.refreshInterval <= 0) {
      report("triton SD configuration requires RefreshInterval to be a positive integer", [
        "refresh_interval",
      ]);
    }
  },
);

const uyuni = section(
  "uyuni.plain",
  {
    server: field(text, "", { printsEmpty: true }),
    username: field(text, "", { printsEmpty: true }),
    password: field(secret, NO_SECRET, { printsEmpty: true }),
    ...httpClientFields,
    entitlement: field(text, "monitoring_entitled"),
    separator: field(text, ","),
    refreshInterval: field(duration, MINUTE),
  },
  (value, report) => {
    needs(
      value,
      ["server", "username", "password"],
      report,
      (key) => `uyuni SD configuration requires ${key === "server" ? "server host" : `a ${key}`}`,
    );
    return finishHttpClient(value, report);
  },
);

const vultr = section("vultr.plain", { ...httpClientFields, ...polled(MINUTE) }, finishClient);

export const CLOUD_DISCOVERY = {
  aws,
  azure,
  digitalocean,
  ec2,
  ecs,
  elasticache,
  gce,
  hetzner,
  ionos,
  kuma,
  lightsail,
  linode,
  msk,
  nerve: zookeeperTree("nerve"),
  oci,
  openstack,
  outscale,
  ovhcloud,
  puppetdb,
  rds,
  scaleway,
  serverset: zookeeperTree("serverset"),
  stackit,
  triton,
  uyuni,
  vultr,
};
