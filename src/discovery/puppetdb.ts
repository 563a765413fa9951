import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { MAX_ANSWER_BYTES } from "./http.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, sanitizeLabelName, type LabelRecord } from "./target-group.ts";

interface Resource {
  readonly certname: string;
  readonly resource: string;
  readonly type: string;
  readonly title: string;
  readonly exported: boolean;
  readonly tags?: readonly string[] | null;
  readonly file?: string | null;
  readonly environment?: string | null;
  readonly parameters?: Readonly<Record<string, unknown>> | null;
}

/** Targets as the nodes of the resources that a query of PuppetDB gives. */
export function puppetDbDiscovery(
  config: DiscoveryConfigOf<"puppetdb">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const url = `${config.url.replace(/\/$/, "")}/pdb/query/v4`;
  return pollingMechanism(
    {
      mechanism: "puppetdb",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const response = await client.request(url, {
          method: "POST",
          body: JSON.stringify({ query: config.query }),
          headers: { "content-type": "application/json", accept: "application/json" },
          timeoutMs: config.refreshInterval,
          signal,
        });
        const body = (await response.read(MAX_ANSWER_BYTES)).toString();
        if (response.status !== 200) throw new Error(`server returned HTTP status ${response.statusLine}`);
        const type = String(response.headers["content-type"] ?? "");
        if (!/^application\/json(?:;|$)/i.test(type)) throw new Error(`unsupported content type ${type}`);
        const resources = JSON.parse(body) as readonly Resource[];
        return [
          {
            source: config.url,
            targets: resources.map((resource) => labelsOf(resource, config)),
            labels: {},
          },
        ];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

function labelsOf(resource: Resource, config: DiscoveryConfigOf<"puppetdb">): LabelRecord {
  const { certname, environment, exported, file, parameters, tags, title, type } = resource;
  return {
    __address__: joinHostPort(certname, config.port),
    __meta_puppetdb_query: config.query,
    __meta_puppetdb_certname: certname,
    __meta_puppetdb_resource: resource.resource,
    __meta_puppetdb_type: type,
    __meta_puppetdb_title: title,
    __meta_puppetdb_exported: String(exported),
    __meta_puppetdb_file: file ?? "",
    __meta_puppetdb_environment: environment ?? "",
    ...((tags ?? []).length > 0 ? { __meta_puppetdb_tags: `,${tags!.join(",")},` } : {}),
    // Only on request: parameters may hold passwords.
    ...(config.includeParameters ? parameterLabels("__meta_puppetdb_parameter_", parameters ?? {}) : {}),
  };
}

function parameterLabels(prefix: string, parameters: Readonly<Record<string, unknown>>): LabelRecord {
  let labels: LabelRecord = {};
  for (const [name, value] of Object.entries(parameters)) {
    const label = prefix + sanitizeLabelName(name);
    if (Array.isArray(value)) {
      const texts = value.map(scalarText).filter((text) => text !== null);
      labels = { ...labels, ...(texts.length > 0 ? { [label]: `,${texts.join(",")},` } : {}) };
    } else if (typeof value === "object" && value !== null) {
      labels = { ...labels, ...parameterLabels(`${label}_`, value as Record<string, unknown>) };
    } else {
      const text = scalarText(value);
      if (text !== null && text !== "") labels = { ...labels, [label]: text };
    }
  }
  return labels;
}

function scalarText(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : null;
}
