import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { quote } from "../model/quote.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { parseTargetList } from "./target-list.ts";

/** A longer answer is refused. */
export const MAX_ANSWER_BYTES = 256 << 20;

/** Targets as a list that an HTTP server gives. */
export function httpDiscovery(
  config: DiscoveryConfigOf<"http">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const poll = {
    mechanism: "http",
    configName,
    intervalMs: config.refreshInterval,
    refresh: async (signal: AbortSignal) => {
      try {
        return await refresh(signal);
      } catch (error) {
        surroundings.counters.add("http_failures_total");
        throw error;
      }
    },
    close: () => client.close(),
  };
  return pollingMechanism(poll, surroundings);

  async function refresh(signal: AbortSignal) {
    const response = await client.request(config.url, {
      signal,
      timeoutMs: config.refreshInterval,
      headers: {
        accept: "application/json",
        "x-prometheus-refresh-interval-seconds": String(config.refreshInterval / 1_000),
      },
    });
    if (response.status !== 200) {
      response.body.destroy();
      throw new Error(`server returned HTTP status ${response.statusLine}`);
    }
    const contentType = String(response.headers["content-type"] ?? "").trim();
    if (!JSON_TYPE.test(contentType)) {
      response.body.destroy();
      throw new Error(`unsupported content type ${quote(contentType)}`);
    }
    const entries = parseTargetList((await response.read(MAX_ANSWER_BYTES)).toString());
    return entries.map(({ labels, targets }, i) => ({
      source: `${config.url}:${i}`,
      targets: targets.map((address) => ({ __address__: address })),
      labels: { ...labels, __meta_url: config.url },
    }));
  }
}

const JSON_TYPE = /^application\/json(?:;\s*charset=("utf-8"|utf-8))?$/i;
