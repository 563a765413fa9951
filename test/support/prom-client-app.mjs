// An application that counts with prom-client: `node prom-client-app.mjs <port>`. It serves OpenMetrics with
// exemplars to who accepts that, and the older text to others.
import { createServer } from "node:http";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, Summary } from "prom-client";

const openMetrics = new Registry();
openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
const text = new Registry();
for (const registry of [openMetrics, text]) {
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: "app_" });
  const requests = new Counter({
    name: "app_requests_total",
    help: "Requests, with a \\ and\na second line.",
    labelNames: ["path"],
    enableExemplars: registry === openMetrics,
    registers,
  });
  const count = (path, by, traceId) =>
    registry === openMetrics
      ? requests.inc({ labels: { path }, value: by, exemplarLabels: { trace_id: traceId } })
      : requests.inc({ path }, by);
  count("/", 3, "a1");
  count('/"quoted"\\and\nbroken', 1.5, "b2");
  count("/späße/日本", 1e21, "c3");
  const temperature = new Gauge({
    name: "app_temperature_celsius",
    help: "Outside.",
    labelNames: ["place"],
    registers,
  });
  temperature.set({ place: "pole" }, -40.25);
  temperature.set({ place: "nowhere" }, NaN);
  temperature.set({ place: "sun" }, Infinity);
  temperature.set({ place: "" }, 5e-324);
  const latency = new Histogram({
    name: "app_latency_seconds",
    help: "Latency.",
    buckets: [1e-5, 0.0001, 0.5, 1, 2.5, 10, 1e6, 1e7],
    registers,
  });
  for (const value of [0.00002, 0.3, 0.3, 3, 1e8]) latency.observe(value);
  const size = new Summary({ name: "app_size_bytes", help: "Sizes.", percentiles: [0, 0.5, 1], registers });
  for (const value of [1, 2, 3, 4]) size.observe(value);
}

const server = createServer(async (request, response) => {
  const wantsOpenMetrics = request.headers.accept?.includes("application/openmetrics-text") === true;
  const registry = wantsOpenMetrics ? openMetrics : text;
  const page = await registry.metrics();
  response.writeHead(200, { "content-type": registry.contentType }).end(page);
});
server.listen(Number(process.argv[2]), "127.0.0.1");
