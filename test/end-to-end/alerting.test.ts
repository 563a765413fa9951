import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AlertsData, RulesData } from "../../src/api/types.ts";
import { ApiClient, eventually } from "../support/api-client.ts";
import { freePort, SpawnedServer } from "../support/spawned-server.ts";
import { isInstalled, removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";

interface Notification {
  status: "firing" | "resolved";
  alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
}

describe.skipIf(!isInstalled("prometheus-alertmanager") || !isInstalled("prometheus-node-exporter"))(
  "an alert on a real exporter's metric, with a real Alertmanager behind",
  () => {
    const folder = temporaryFolder("alerting");
    const received: Notification[] = [];
    const servers: SpawnedServer[] = [];
    let receiver: Server;
    let narthex: SpawnedServer;
    let exporterPort: number;

    async function startExporter(): Promise<SpawnedServer> {
      return SpawnedServer.start({
        command: "prometheus-node-exporter",
        args: [`--web.listen-address=127.0.0.1:${exporterPort}`],
        url: `http://127.0.0.1:${exporterPort}`,
        readyPath: "/metrics",
      });
    }

    beforeAll(async () => {
      receiver = createServer((request, response) => {
        let body = "";
        request.on("data", (chunk: Buffer) => (body += chunk.toString()));
        request.on("end", () => {
          received.push(JSON.parse(body) as Notification);
          response.end();
        });
      });
      await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
      const receiverPort = (receiver.address() as AddressInfo).port;
      exporterPort = await freePort();
      const alertmanagerPort = await freePort();
      writeFileSync(
        join(folder, "alertmanager.yml"),
        `
route: { receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h, group_by: [alertname] }
receivers: [{ name: hook, webhook_configs: [{ url: "http://127.0.0.1:${receiverPort}/", send_resolved: true }] }]
`,
      );
      servers.push(
        await SpawnedServer.start({
          command: "prometheus-alertmanager",
          args: [
            `--config.file=${join(folder, "alertmanager.yml")}`,
            `--storage.path=${join(folder, "alertmanager")}`,
            `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
            "--cluster.listen-address=",
          ],
          url: `http://127.0.0.1:${alertmanagerPort}`,
          readyPath: "/-/ready",
        }),
      );
      writeFileSync(
        join(folder, "rules.yml"),
        `
groups:
  - name: node
    interval: 500ms
    rules:
      - record: instance:filesystems:count
        expr: count by (instance) (node_filesystem_size_bytes)
      - alert: NodeIsWatched
        expr: up{job="node"} == 1 and on (instance) node_exporter_build_info
        for: 1s
        labels: { severity: page }
        annotations: { summary: "{{ $labels.instance }} is up with {{ $value }}" }
`,
      );
      servers.push(await startExporter());
      narthex = await startNarthex({
        folder: join(folder, "narthex"),
        config: `
global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms, external_labels: { region: eu } }
rule_files: ["${join(folder, "rules.yml")}"]
alerting: { alertmanagers: [{ static_configs: [{ targets: ["127.0.0.1:${alertmanagerPort}"] }] }] }
scrape_configs: [{ job_name: node, static_configs: [{ targets: ["127.0.0.1:${exporterPort}"] }] }]
`,
      });
      servers.push(narthex);
    }, 90_000);

    afterAll(async () => {
      for (const server of servers) await server.stop();
      receiver?.close();
      removeFolder(folder);
    });

    test("fires at a webhook with its labels, the external ones and the expanded annotation", async () => {
      const firing = await eventually("a firing notification", async () =>
        received.find((one) => one.status === "firing"),
      );
      expect(firing.alerts[0]!.labels).toMatchObject({
        alertname: "NodeIsWatched",
        severity: "page",
        region: "eu",
        job: "node",
        instance: `127.0.0.1:${exporterPort}`,
      });
      expect(firing.alerts[0]!.annotations["summary"]).toBe(`127.0.0.1:${exporterPort} is up with 1`);
    });

    test("stands in the API and in ALERTS while it fires, and the recording rule's series is there", async () => {
      const api = new ApiClient(narthex.url);
      const { alerts } = await api.get<AlertsData>("alerts");
      expect(alerts.map((alert) => alert.state)).toEqual(["firing"]);
      expect(await api.instant('ALERTS{alertstate="firing"}')).toHaveLength(1);
      const recorded = await api.instant("instance:filesystems:count");
      expect(recorded.map((series) => series.metric)).toEqual([
        { __name__: "instance:filesystems:count", instance: `127.0.0.1:${exporterPort}` },
      ]);
      const { groups } = await api.get<RulesData>("rules");
      expect(groups.map((group) => group.rules.map((rule) => rule.health))).toEqual([["ok", "ok"]]);
    });

    test("resolves at the webhook when the exporter goes away", async () => {
      await servers[1]!.stop();
      const resolved = await eventually("a resolved notification", async () =>
        received.find((one) => one.status === "resolved"),
      );
      expect(resolved.alerts[0]!.labels["alertname"]).toBe("NodeIsWatched");
      expect(await new ApiClient(narthex.url).instant("ALERTS")).toEqual([]);
    });
  },
);
