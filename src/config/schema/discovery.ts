import { isValidLabelName, isValidLabelValue } from "../../model/label-name.ts";
import { quote } from "../../model/quote.ts";
import { DISCOVERY_MECHANISMS, discoveryKey, type DiscoveryMechanismName } from "../discovery-mechanisms.ts";
import { Secret } from "../secret.ts";
import { CLOUD_DISCOVERY } from "./cloud-discovery.ts";
import {
  boolean,
  choice,
  duration,
  field,
  filePath,
  integer,
  list,
  record,
  secret,
  section,
  text,
  url,
  type ConfigType,
  type SectionValue,
  type ValueOf,
} from "./config-type.ts";
import {
  DEFAULT_HTTP_CLIENT,
  finishHttpClient,
  httpClientFields,
  type HttpClientConfig,
} from "./http-client.ts";

const NO_SECRET = new Secret("");
const SECOND = 1_000;
const MINUTE = 60_000;

/** Label names with values, both checked. */
export const labelMap: ConfigType<Readonly<Record<string, string>>> = {
  ...record(text),
  schema: record(text).schema.superRefine((labels, context) => {
    for (const [name, value] of Object.entries(labels)) {
      const problem = (message: string) => context.addIssue({ code: "custom", message, path: [name] });
      if (!isValidLabelName(name)) problem(`${quote(name)} is not a valid label name`);
      else if (!isValidLabelValue(value)) problem(`${quote(value)} is not a valid label value`);
    }
  }),
};

const staticConfig = section("targetgroup.plain", {
  targets: field(list(text), [], { printsEmpty: true }),
  labels: field(labelMap, {}),
});

/** What a file with targets holds. */
export const targetListFile = list(staticConfig, "nil target group item found");

const fileDiscovery = section(
  "file.plain",
  {
    files: field(list(filePath), [], { printsEmpty: true }),
    refreshInterval: field(duration, 5 * MINUTE),
  },
  ({ files }, report) => {
    if (files.length === 0) report("file service discovery config must contain at least one path name");
    for (const [i, path] of files.entries()) {
      if (!isFileDiscoveryPath(path)) {
        report(`path name ${quote(path)} is not valid for file discovery`, ["files", i]);
      }
    }
  },
);

/** A star may stand in the last element only, and the file must be JSON or YAML. */
function isFileDiscoveryPath(path: string): boolean {
  return /^[^*]*(?:\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)$/.test(path);
}

const httpDiscovery = section(
  "http.plain",
  {
    ...httpClientFields,
    refreshInterval: field(duration, MINUTE),
    url: field(url, "", { printsEmpty: true }),
  },
  (value, report) => {
    const problem = httpUrlFault(value.url);
    if (problem !== null) report(problem, ["url"]);
    return finishHttpClient(value, report);
  },
);

function httpUrlFault(address: string): string | null {
  if (address === "") return "URL is missing";
  if (!/^https?:/i.test(address)) return "URL scheme must be 'http' or 'https'";
  return /^https?:\/\/[^/?#]/i.test(address) ? null : "host is missing in URL";
}

const dnsDiscovery = section(
  "dns.plain",
  {
    names: field(list(text), [], { printsEmpty: true }),
    refreshInterval: field(duration, 30 * SECOND),
    type: field(text, "SRV", { printsEmpty: true }),
    port: field(integer, 0, { printsEmpty: true }),
  },
  (value, report) => {
    const type = value.type.toUpperCase();
    if (value.names.length === 0) report("DNS-SD config must contain at least one SRV record name");
    if (!["SRV", "A", "AAAA", "MX", "NS"].includes(type)) {
      report(`invalid DNS-SD records type ${value.type}`, ["type"]);
    } else if (type !== "SRV" && value.port === 0) {
      report("a port is required in DNS-SD configs for all record types except SRV");
    }
  },
);

const consulDiscovery = section(
  "consul.plain",
  {
    server: field(text, "localhost:8500"),
    pathPrefix: field(text, ""),
    token: field(secret, NO_SECRET),
    datacenter: field(text, ""),
    namespace: field(text, ""),
    partition: field(text, ""),
    tagSeparator: field(text, ","),
    scheme: field(text, "http"),
    username: field(text, ""),
    password: field(secret, NO_SECRET),
    allowStale: field(boolean, true, { printsEmpty: true }),
    refreshInterval: field(duration, 30 * SECOND),
    services: field(list(text), []),
    tags: field(list(text), []),
    nodeMeta: field(record(text), {}),
    filter: field(text, ""),
    healthFilter: field(text, ""),
    ...httpClientFields,
  },
  (value, report) => {
    if (value.server.trim() === "") report("consul SD configuration requires a server address", ["server"]);
    const hasUser = value.username !== "" || !value.password.isEmpty;
    if (hasUser && value.basicAuth !== undefined) {
      report("at most one of consul SD configuration username and password and basic auth can be configured");
    }
    if (!value.token.isEmpty && (value.authorization !== undefined || value.oauth2 !== undefined)) {
      report("at most one of consul SD token, authorization, or oauth2 can be configured");
    }
    const client = finishHttpClient(value, report);
    if (!hasUser || value.basicAuth !== undefined) return client;
    // The old pair of fields is basic authentication by another name.
    return {
      ...client,
      username: "",
      password: NO_SECRET,
      basicAuth: {
        username: value.username,
        usernameFile: "",
        usernameRef: "",
        password: value.password,
        passwordFile: "",
        passwordRef: "",
      },
    };
  },
);

export const KUBERNETES_ROLES = ["pod", "service", "endpoints", "endpointslice", "node", "ingress"] as const;
export type KubernetesRole = (typeof KUBERNETES_ROLES)[number];

const ROLES_TEXT = "pod, service, endpoints, endpointslice, node, ingress";

const kubernetesRole = choice<KubernetesRole | "">(
  ["", ...KUBERNETES_ROLES],
  (role) => `unknown Kubernetes SD role ${quote(role)}`,
);

/** Which objects a role may select among. */
const SELECTABLE: Readonly<Record<KubernetesRole, readonly KubernetesRole[]>> = {
  pod: ["pod", "node"],
  service: ["service"],
  endpoints: ["pod", "service", "endpoints"],
  endpointslice: ["pod", "service", "endpointslice"],
  node: ["node"],
  ingress: ["ingress"],
};

const kubernetesDiscovery = section(
  "kubernetes.plain",
  {
    apiServer: field(url, ""),
    role: field(kubernetesRole, "", { printsEmpty: true }),
    kubeconfigFile: field(filePath, "", { printsEmpty: true }),
    ...httpClientFields,
    namespaces: field(
      section("kubernetes.plain", {
        ownNamespace: field(boolean, false, { printsEmpty: true }),
        names: field(list(text), [], { printsEmpty: true }),
      }),
      { ownNamespace: false, names: [] },
    ),
    selectors: field(
      list(
        section("kubernetes.SelectorConfig", {
          role: field(kubernetesRole, "", { printsEmpty: true }),
          label: field(text, ""),
          field: field(text, ""),
        }),
      ),
      [],
    ),
    attachMetadata: field(
      section("kubernetes.AttachMetadataConfig", {
        node: field(boolean, false, { printsEmpty: true }),
        namespace: field(boolean, false, { printsEmpty: true }),
        deployment: field(boolean, false, { printsEmpty: true }),
        job: field(boolean, false, { printsEmpty: true }),
        cronjob: field(boolean, false, { printsEmpty: true }),
      }),
      { node: false, namespace: false, deployment: false, job: false, cronjob: false },
    ),
  },
  (value, report) => {
    const { apiServer, kubeconfigFile, role, selectors } = value;
    if (role === "") report(`role missing (one of: ${ROLES_TEXT})`);
    if (apiServer !== "" && kubeconfigFile !== "") {
      report("cannot use 'kubeconfig_file' and 'api_server' simultaneously");
    }
    const hasOwnClient = !isDefaultHttpClient(value);
    if (kubeconfigFile !== "" && hasOwnClient) {
      report("cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
    } else if (apiServer === "" && hasOwnClient) {
      report("to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
    }
    if (apiServer !== "" && value.namespaces.ownNamespace) {
      report("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
    }
    if (role !== "") {
      const seen = new Set<string>();
      for (const selector of selectors) {
        if (seen.has(selector.role)) report(`duplicated selector role: ${selector.role}`, ["selectors"]);
        seen.add(selector.role);
        if (!SELECTABLE[role].some((allowed) => allowed === selector.role)) {
          report(`${role} role supports only ${SELECTABLE[role].join(", ")} selectors`, ["selectors"]);
        }
      }
    }
    return finishHttpClient(value, report);
  },
);

function isDefaultHttpClient(value: HttpClientConfig): boolean {
  const names = Object.keys(httpClientFields) as (keyof HttpClientConfig)[];
  return names.every((name) => {
    const { type } = httpClientFields[name];
    if (name === "followRedirects" || name === "enableHttp2")
      return value[name] === DEFAULT_HTTP_CLIENT[name];
    return type.isEmpty(value[name] as never);
  });
}

const dockerFilters = list(
  section("moby.Filter", {
    name: field(text, "", { printsEmpty: true }),
    values: field(list(text), []),
  }),
);

const dockerDiscovery = section(
  "moby.plain",
  {
    ...httpClientFields,
    host: field(url, "", { printsEmpty: true }),
    port: field(integer, 80, { printsEmpty: true }),
    filters: field(dockerFilters, [], { printsEmpty: true }),
    hostNetworkingHost: field(text, "localhost", { printsEmpty: true }),
    refreshInterval: field(duration, MINUTE, { printsEmpty: true }),
    matchFirstNetwork: field(boolean, true, { printsEmpty: true }),
  },
  (value, report) => {
    if (value.host === "") report("host missing");
    return finishHttpClient(value, report);
  },
);

const dockerSwarmDiscovery = section(
  "moby.plain",
  {
    ...httpClientFields,
    host: field(url, "", { printsEmpty: true }),
    role: field(text, "", { printsEmpty: true }),
    port: field(integer, 80, { printsEmpty: true }),
    filters: field(dockerFilters, [], { printsEmpty: true }),
    refreshInterval: field(duration, MINUTE, { printsEmpty: true }),
  },
  (value, report) => {
    if (value.host === "") report("host missing");
    if (value.role === "") report("role missing (one of: tasks, services, nodes)");
    else if (!["services", "nodes", "tasks"].includes(value.role)) {
      report(`invalid role ${value.role}, expected tasks, services, or nodes`, ["role"]);
    }
    return finishHttpClient(value, report);
  },
);

const nomadDiscovery = section(
  "nomad.plain",
  {
    allowStale: field(boolean, true, { printsEmpty: true }),
    ...httpClientFields,
    namespace: field(text, "default", { printsEmpty: true }),
    refreshInterval: field(duration, MINUTE, { printsEmpty: true }),
    region: field(text, "global", { printsEmpty: true }),
    server: field(text, "http://localhost:4646", { printsEmpty: true }),
    tagSeparator: field(text, ","),
  },
  (value, report) => {
    if (value.server.trim() === "") report("nomad SD configuration requires a server address", ["server"]);
    return finishHttpClient(value, report);
  },
);

const eurekaDiscovery = section(
  "eureka.plain",
  {
    server: field(text, ""),
    ...httpClientFields,
    refreshInterval: field(duration, 30 * SECOND),
  },
  (value, report) => {
    if (value.server === "") report("eureka_sd: empty or null eureka server");
    else if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#]/i.test(value.server)) {
      report("eureka_sd: invalid eureka server URL", ["server"]);
    }
    return finishHttpClient(value, report);
  },
);

const marathonDiscovery = section(
  "marathon.plain",
  {
    servers: field(list(text), []),
    refreshInterval: field(duration, 30 * SECOND),
    authToken: field(secret, NO_SECRET),
    authTokenFile: field(filePath, ""),
    ...httpClientFields,
  },
  (value, report) => {
    if (value.servers.length === 0) report("marathon_sd: must contain at least one Marathon server");
    const hasToken = !value.authToken.isEmpty;
    if (hasToken && value.authTokenFile !== "") {
      report("marathon_sd: at most one of auth_token & auth_token_file must be configured");
    }
    const hasAny = hasToken || value.authTokenFile !== "";
    const hasBearer = !value.bearerToken.isEmpty || value.bearerTokenFile !== "";
    if (hasAny && value.basicAuth !== undefined) {
      report("marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured");
    }
    if (hasAny && hasBearer) {
      report(
        "marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file must be configured",
      );
    }
    if (hasAny && value.authorization !== undefined) {
      report("marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured");
    }
    return finishHttpClient(value, report);
  },
);

/** A section of each mechanism by the key under which its list stands. */
const MECHANISMS = {
  ...CLOUD_DISCOVERY,
  consul: consulDiscovery,
  dns: dnsDiscovery,
  docker: dockerDiscovery,
  dockerswarm: dockerSwarmDiscovery,
  eureka: eurekaDiscovery,
  file: fileDiscovery,
  http: httpDiscovery,
  kubernetes: kubernetesDiscovery,
  marathon: marathonDiscovery,
  nomad: nomadDiscovery,
  static: staticConfig,
} satisfies Record<DiscoveryMechanismName, unknown>;

/** The configuration of one mechanism. */
export type DiscoveryConfigOf<M extends DiscoveryMechanismName> = ValueOf<(typeof MECHANISMS)[M]>;

type DiscoveryFields = {
  [M in DiscoveryMechanismName as `${M}Configs`]: ReturnType<typeof mechanismField<DiscoveryConfigOf<M>>>;
};

function mechanismField<T>(key: string, type: ConfigType<T>) {
  return field<readonly T[]>(list(type, `empty or null section in ${key}`), [], { key });
}

/** A list of each mechanism, to be spread among a section's own fields. */
export const discoveryFields = Object.fromEntries(
  [...DISCOVERY_MECHANISMS]
    .sort((a, b) => (discoveryKey(a) < discoveryKey(b) ? -1 : 1))
    .map((name) => [
      `${name}Configs`,
      mechanismField<unknown>(discoveryKey(name), MECHANISMS[name] as ConfigType<unknown>),
    ]),
) as unknown as DiscoveryFields;

/** The lists of all mechanisms, as any section with them has them. */
export type DiscoveryConfigs = SectionValue<DiscoveryFields>;
