import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

/**
 * A stand-in for many exporters: pages made and compressed before the first request, so that serving one costs next to
 * nothing. Runs as a process of its own: `node page-server.js PORT SERIES [CHURN [identity]]`, ends with its parent's pipe.
 *
 * Each target's page is at `/NUMBER/metrics`; GET `/lateness` gives, and resets, how far the gaps between a target's
 * scrapes were from the interval given as `?interval=MS`, by all servers or by those whose user agent starts with
 * `&server=NAME`.
 */
const VARIANTS = 8;

export function servePages(options: {
  port: number;
  series: number;
  churn: number;
  /** Whether pages are sent compressed to those who ask for it. */
  compresses: boolean;
}): void {
  const { port, series, churn, compresses } = options;
  const pages = Array.from({ length: VARIANTS }, (_, variant) => Buffer.from(page(series, variant, churn)));
  const zipped = pages.map((body) => gzipSync(body));
  const scrapes = new Map<string, { count: number; times: number[] }>();
  createServer((request, response) => {
    const url = request.url ?? "/";
    if (url.startsWith("/lateness")) {
      const parameters = new URL(url, "http://127.0.0.1").searchParams;
      const interval = Number(parameters.get("interval"));
      const deviations: number[] = [];
      for (const [from, seen] of scrapes) {
        if (!from.startsWith(parameters.get("server") ?? "")) continue;
        for (let i = 1; i < seen.times.length; i++) {
          deviations.push(Math.abs(seen.times[i]! - seen.times[i - 1]! - interval));
        }
        seen.times = seen.times.slice(-1);
      }
      response.end(JSON.stringify(deviations));
      return;
    }
    const from = `${request.headers["user-agent"]?.split("/")[0]}${url}`;
    const seen = scrapes.get(from) ?? { count: 0, times: [] };
    scrapes.set(from, seen);
    seen.times.push(performance.now());
    const variant = seen.count++ % VARIANTS;
    const isZipped = compresses && String(request.headers["accept-encoding"]).includes("gzip");
    const body = (isZipped ? zipped : pages)[variant]!;
    response.writeHead(200, {
      "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
      "Content-Length": body.length,
      ...(isZipped ? { "Content-Encoding": "gzip" } : {}),
    });
    response.end(body);
  }).listen(port, "127.0.0.1");
  process.stdin.on("end", () => process.exit(0)).resume();
}

/**
 * Lines as a node exporter or an instrumented service writes them: ten series a family, four labels, half the values
 * moving from variant to variant: counters, gauges with decimals, constants.
 */
function page(series: number, variant: number, churn: number): string {
  const lines: string[] = [];
  const moved = Math.floor(series * churn);
  for (let i = 0; i < series; i++) {
    const family = Math.floor(i / 10);
    if (i % 10 === 0) {
      lines.push(
        `# HELP service_requests_${family}_total How many requests of kind ${family} were answered.`,
      );
      lines.push(`# TYPE service_requests_${family}_total counter`);
    }
    // Series from `series - moved` on have another name in every variant: they come and go.
    const generation = i >= series - moved ? variant : 0;
    const labels = `method="GET",code="${200 + (i % 10)}",handler="/api/v1/resource/${family % 50}/item",shard="${i % 10}-${generation}"`;
    lines.push(`service_requests_${family}_total{${labels}} ${valueOf(i, variant)}`);
  }
  return `${lines.join("\n")}\n`;
}

function valueOf(i: number, variant: number): string {
  switch (i % 4) {
    case 0:
      return String(1_000_000 + i * 37 + variant * (1 + (i % 97)));
    case 1:
      return String((((i * 7919 + variant * 104729) % 100_000) / 1000).toFixed(3));
    default:
      return String(i * 3);
  }
}
