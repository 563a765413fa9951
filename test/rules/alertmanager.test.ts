import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { Notifier } from "../../src/rules/notifier.ts";
import { RuleManager } from "../../src/rules/rule-manager.ts";
import {
  alerting,
  FakeLog,
  FakeRuleStorage,
  parseExpression,
  ruleGroup,
  vector,
  type LabelRecord,
} from "../support/rule-fixtures.ts";
import { isInstalled, removeFolder, temporaryFolder } from "../support/servers.ts";
import { freePort, SpawnedServer } from "../support/spawned-server.ts";

interface Notification {
  readonly status: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: LabelRecord;
    readonly annotations: LabelRecord;
    readonly startsAt: string;
    readonly endsAt: string;
    readonly generatorURL: string;
  }[];
}

const clock = {
  now: () => Date.now(),
  setTimer(callback: () => void, delayMs: number) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("waited in vain");
}

describe.runIf(isInstalled("prometheus-alertmanager"))("a real Alertmanager", () => {
  const folder = temporaryFolder("alertmanager");
  const notifications: Notification[] = [];
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      notifications.push(JSON.parse(Buffer.concat(chunks).toString()) as Notification);
      response.end();
    });
  });
  let alertmanager: SpawnedServer;

  beforeAll(async () => {
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { port: receiverPort } = receiver.address() as AddressInfo;
    writeFileSync(
      join(folder, "alertmanager.yml"),
      `route: {receiver: test, group_by: [alertname], group_wait: 10ms, group_interval: 200ms}
receivers:
  - name: test
    webhook_configs: [{url: "http://127.0.0.1:${receiverPort}/", send_resolved: true}]
`,
    );
    const port = await freePort();
    alertmanager = await SpawnedServer.start({
      command: "prometheus-alertmanager",
      args: [
        `--config.file=${join(folder, "alertmanager.yml")}`,
        `--storage.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--web.route-prefix=/am/",
        "--cluster.listen-address=",
      ],
      url: `http://127.0.0.1:${port}`,
      readyPath: "/am/-/ready",
    });
  });

  afterAll(async () => {
    await alertmanager.stop();
    await new Promise((resolve) => receiver.close(resolve));
    removeFolder(folder);
  });

  test("notifies of an alert that fires, knows all about it, and of its end", async () => {
    const registry = new Registry();
    const log = new FakeLog();
    const notifier = new Notifier({ clock, registry, log });
    const set = {
      scheme: "http",
      pathPrefix: "/am",
      timeoutMs: 10_000,
      relabelRules: [],
      alertRelabelRules: [],
      http: {},
    };
    notifier.applyConfig(
      { alertRelabelRules: [], alertmanagers: [set] },
      Labels.fromRecord({ region: "eu" }),
    );
    notifier.setTargets(0, [{ targets: [{ __address__: new URL(alertmanager.url).host }], labels: {} }]);
    const storage = new FakeRuleStorage().answer("up == 0", vector([{ __name__: "up", instance: "a" }, 0]));
    const manager = new RuleManager({
      clock,
      storage,
      parse: parseExpression,
      sendAlerts: (alerts) => notifier.send(alerts),
      registry,
      log,
    });
    const rule = alerting("Down", "up == 0", {
      labels: { severity: "page" },
      annotations: { summary: "{{ $labels.instance }} is <{{ $value }}> in {{ $externalLabels.region }}" },
    });
    const startMs = Date.now();
    await manager.update([ruleGroup([rule], { intervalMs: 200 })], {
      externalLabels: Labels.fromRecord({ region: "eu" }),
      externalUrl: "http://prom.example",
    });
    manager.start();

    await until(() => notifications.length > 0);
    const [fired] = notifications[0]!.alerts;
    expect(fired).toMatchObject({
      status: "firing",
      labels: { alertname: "Down", instance: "a", region: "eu", severity: "page" },
      annotations: { summary: "a is <0> in eu" },
      generatorURL: "http://prom.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    });
    expect(Date.parse(fired!.startsAt)).toBeGreaterThanOrEqual(startMs);
    const known = (await (await fetch(`${alertmanager.url}/am/api/v2/alerts`)).json()) as {
      endsAt: string;
    }[];
    expect(known).toHaveLength(1);
    // Four times the resend delay of a minute.
    expect(Date.parse(known[0]!.endsAt) - Date.parse(fired!.startsAt)).toBe(240_000);

    storage.answer("up == 0", vector());
    await until(() => notifications.some(({ status }) => status === "resolved"));
    const resolved = notifications.find(({ status }) => status === "resolved")!.alerts[0]!;
    expect(resolved).toMatchObject({ labels: fired!.labels, startsAt: fired!.startsAt });
    expect(Date.parse(resolved.endsAt)).toBeLessThanOrEqual(Date.now());

    await manager.stop();
    await notifier.stop();
    expect(log.lines).toEqual([]);
  });
});
