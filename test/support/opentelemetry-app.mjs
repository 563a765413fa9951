// An application that measures with OpenTelemetry and serves that by its exporter: `node opentelemetry-app.mjs <port>`.
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";

const exporter = new PrometheusExporter({ host: "127.0.0.1", port: Number(process.argv[2]) });
const meter = new MeterProvider({ readers: [exporter] }).getMeter("shop", "1.2.3");

const orders = meter.createCounter("shop.orders", { description: "Orders taken.", unit: "1" });
orders.add(3, { "customer.tier": "gold", region: "eu" });
orders.add(4.5, { "customer.tier": "tin", region: 'u"s\n' });
const stock = meter.createUpDownCounter("shop.stock", { unit: "By" });
stock.add(10, { shelf: "a" });
stock.add(-12, { shelf: "a" });
const duration = meter.createHistogram("shop.checkout.duration", {
  unit: "s",
  advice: { explicitBucketBoundaries: [0.005, 0.1, 1, 10] },
});
for (const value of [0.001, 0.05, 0.05, 7, 70]) duration.record(value, { "http.route": "/checkout" });
const uptime = meter.createObservableGauge("shop.temperature");
uptime.addCallback((result) => result.observe(21.5, { room: "back" }));
// The exporter's server alone doesn't keep a process alive.
setInterval(() => {}, 60_000);
