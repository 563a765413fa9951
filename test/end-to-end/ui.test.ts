import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ApiClient, eventually } from "../support/api-client.ts";
import { freePort, type SpawnedServer } from "../support/spawned-server.ts";
import { isInstalled, removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";

/** Where to leave pictures of every page in both schemes, for people to look at; unset: nowhere. */
const pictureFolder = process.env["NARTHEX_SCREENSHOTS"];

const RULES = `
groups:
  - name: watch
    interval: 1s
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: TargetDown
        expr: up == 0
        labels: { severity: page }
        annotations: { summary: "{{ $labels.instance }} is down" }
      - alert: NeverFires
        expr: up > 1
        for: 5m
`;

function configFor(port: number): string {
  return `
global: { scrape_interval: 1s, evaluation_interval: 1s, external_labels: { site: lab } }
rule_files: [rules.yml]
scrape_configs:
  - job_name: narthex
    static_configs: [{ targets: ["127.0.0.1:${port}"], labels: { rack: b2 } }]
  - job_name: closed
    static_configs: [{ targets: ["127.0.0.1:1"] }, { targets: ["127.0.0.1:2"], labels: { drop: "yes" } }]
    relabel_configs: [{ source_labels: [drop], regex: "yes", action: drop }]
`;
}

/** The share of the graph's pixels that aren't grey: lines have colours, axes and grid hardly any. */
function colouredPixels(page: Page): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector(".graph canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let coloured = 0;
    for (let at = 0; at < data.length; at += 4) {
      const channels = [data[at], data[at + 1], data[at + 2]];
      if (data[at + 3] > 128 && Math.max(...channels) - Math.min(...channels) > 60) coloured++;
    }
    return coloured;
  })()`);
}

function queryAddress(parameters: Record<string, string>): string {
  return `query?${new URLSearchParams(parameters).toString()}`;
}

describe.skipIf(!isInstalled("chromium"))("the web page in a real browser", () => {
  const folder = temporaryFolder("ui");
  let narthex: SpawnedServer;
  let api: ApiClient;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  async function open(address: string, url = narthex.url): Promise<void> {
    await page.goto(`${url}/${address}`);
  }

  async function typeExpression(text: string): Promise<void> {
    await page.locator(".cm-content").click();
    await page.keyboard.type(text);
  }

  /** Enter would take a completion that has just opened; with Control it always runs. */
  async function runExpression(): Promise<void> {
    await page.keyboard.press("Control+Enter");
  }

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "rules.yml"), RULES);
    const port = await freePort();
    narthex = await startNarthex({
      config: configFor(port),
      folder,
      port,
      flags: ["--web.enable-lifecycle"],
    });
    api = new ApiClient(narthex.url);
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    // A few scrapes and evaluations, so that there is something to see.
    await eventually("rates over the own samples", async () => {
      const series = await api.instant("rate(scrape_samples_scraped[5s])");
      return series.length > 0 && (await api.instant("ALERTS")).length > 0;
    });
  });

  afterAll(async () => {
    await browser?.close();
    await narthex?.stop();
    removeFolder(folder);
  });

  beforeEach(async () => {
    context = await browser.newContext({
      viewport: { width: 1360, height: 860 },
      colorScheme: "light",
      timezoneId: "Asia/Kolkata",
    });
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
    complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        complaints.push(`${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });

  afterEach(async () => {
    await context.close();
  });

  test("completes an expression while it is typed, runs it from the keyboard and draws it", async () => {
    await open("");
    expect(new URL(page.url()).pathname).toBe("/query");
    await typeExpression("scrape_samples_scr");
    const completion = page.locator(".cm-tooltip-autocomplete li", { hasText: "scrape_samples_scraped" });
    await completion.first().click();
    await page.keyboard.type(' > 0 or {__name__="up"}');
    await runExpression();

    await page.locator(".result-row").first().waitFor();
    const expected = await api.instant('scrape_samples_scraped > 0 or {__name__="up"}');
    expect(await page.locator(".result-row").count()).toBe(expected.length);
    expect(await page.locator(".result-row").allInnerTexts()).toContainEqual(
      expect.stringContaining('up{instance="127.0.0.1:1", job="closed"}'),
    );

    await page.getByRole("tab", { name: "Graph" }).click();
    await page.locator(".graph canvas").waitFor();
    await page.getByLabel("Range", { exact: true }).fill("10s");
    await page.keyboard.press("Enter");
    await page.waitForURL(/g0\.range_input=10s/);
    await eventually("a line on the graph", async () => (await colouredPixels(page)) > 50);
    expect(complaints).toEqual([]);
  });

  test("shows what is under the mouse, and hides a series on a click in the legend", async () => {
    await open(
      queryAddress({ "g0.expr": "up", "g0.tab": "graph", "g0.range_input": "10s", "g0.step_input": "1" }),
    );
    const legend = page.locator(".legend-entry");
    await legend.first().waitFor();
    expect(await legend.count()).toBe(2);
    const plot = page.locator(".graph .u-over");
    const box = (await plot.boundingBox())!;
    await page.mouse.move(box.x + box.width - 20, box.y + 10);
    const tooltip = page.locator(".graph-tooltip");
    await tooltip.waitFor();
    expect(await tooltip.locator(".tooltip-value").innerText()).toBe("1");
    expect(await tooltip.locator(".tooltip-labels").innerText()).toContain("b2");

    await page.mouse.move(box.x + box.width - 20, box.y + box.height - 4);
    await eventually("the value below", async () => {
      return (await tooltip.locator(".tooltip-value").innerText()) === "0";
    });
    await legend.filter({ hasText: "closed" }).click();
    expect(await legend.filter({ hasText: "closed" }).getAttribute("aria-pressed")).toBe("false");
    await page.mouse.move(box.x + box.width - 24, box.y + box.height - 6);
    await eventually("the other series below", async () => {
      return (await tooltip.locator(".tooltip-value").innerText()) === "1";
    });
    expect(complaints).toEqual([]);
  });

  test("zooms into what is dragged over, and back out with the step back in history", async () => {
    await open(queryAddress({ "g0.expr": "up", "g0.tab": "graph", "g0.range_input": "1h" }));
    const plot = page.locator(".graph .u-over");
    await plot.waitFor();
    const box = (await plot.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/g0\.end_input=/);
    const zoomed = new URL(page.url()).searchParams;
    const range = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(zoomed.get("g0.range_input") ?? "");
    const seconds = Number(range?.[1] ?? 0) * 60 + Number(range?.[2] ?? 0);
    expect(seconds).toBeGreaterThan(880);
    expect(seconds).toBeLessThan(920);
    const endMs = Date.parse(`${zoomed.get("g0.end_input")?.replace(" ", "T")}Z`);
    expect(Math.abs(Date.now() - 900_000 - endMs)).toBeLessThan(60_000);

    await page.goBack();
    await eventually("the whole hour", async () => {
      return (await page.getByLabel("Range", { exact: true }).inputValue()) === "1h";
    });
    expect(new URL(page.url()).searchParams.has("g0.end_input")).toBe(false);
    expect(complaints).toEqual([]);
  });

  test("keeps every panel in the address, so that a reload shows the same", async () => {
    await open(
      queryAddress({
        "g0.expr": "sum(up)",
        "g0.tab": "table",
        "g1.expr": "count(up)",
        "g1.tab": "graph",
        "g1.range_input": "2m",
        "g1.display_mode": "stacked",
      }),
    );
    await page.getByRole("button", { name: "Add a panel" }).click();
    await page.locator(".cm-content").nth(2).click();
    await page.keyboard.type("vector(42)");
    await runExpression();
    await page.waitForURL(/g2\.expr=vector/);
    await page.reload();
    await page.locator(".cm-content").nth(2).waitFor();
    expect(await page.locator(".cm-content").allInnerTexts()).toEqual(["sum(up)", "count(up)", "vector(42)"]);
    const second = page.getByRole("region", { name: "Query 2" });
    expect(await second.getByLabel("Range", { exact: true }).inputValue()).toBe("2m");
    expect(await second.getByRole("radio", { name: "Stacked" }).isChecked()).toBe(true);
    expect(complaints).toEqual([]);
  });

  test("says what is wrong with an expression in the server's words", async () => {
    await open(queryAddress({ "g0.expr": "sum(up" }));
    const notice = page.getByRole("alert");
    await notice.waitFor();
    const { error } = await api.getBody("query", { query: "sum(up" });
    expect(await notice.innerText()).toContain(error);
  });

  test("formats an expression, and explains it part by part", async () => {
    await open("query");
    await typeExpression("sum   by(job)(up)");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Format the expression" }).click();
    await eventually("the formatted text", async () => {
      return (await page.locator(".cm-content").innerText()) === "sum by (job) (up)";
    });
    await page.getByRole("button", { name: "Execute" }).click();
    await page.getByRole("tab", { name: "Explain" }).click();
    const nodes = page.locator(".explain-node");
    await nodes.nth(1).waitFor();
    await eventually("the counts of both parts", async () => {
      const texts = await nodes.allInnerTexts();
      return texts.length === 2 && texts.every((text) => /\b2\s+series/.test(text));
    });
    expect(complaints).toEqual([]);
  });

  test("finds a metric in the explorer and puts it where the cursor is", async () => {
    await open("query");
    await typeExpression("sum()");
    await page.keyboard.press("Escape");
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("button", { name: "Explore metrics" }).click();
    await page.getByLabel("Search names, types and descriptions").fill("scrape samples scraped");
    await page.locator(".metric-entry", { hasText: "scrape_samples_scraped" }).click();
    await page.locator(".metric-labels").getByText("narthex").waitFor();
    await page.getByRole("button", { name: "Insert", exact: true }).click();
    await eventually("the metric in the expression", async () => {
      return (await page.locator(".cm-content").innerText()) === "sum(scrape_samples_scraped)";
    });
    expect(complaints).toEqual([]);
  });

  test("shows firing alerts with their labels, and finds them by state and text", async () => {
    await open("alerts");
    const cards = page.locator(".alert-card");
    await cards.first().waitFor();
    expect(await cards.count()).toBe(2);
    await page.getByText("Firing 1", { exact: true }).click();
    await eventually("only the firing one", async () => (await cards.count()) === 1);
    await cards.first().locator(".alert-head").click();
    const text = await cards.first().innerText();
    expect(text).toContain("127.0.0.1:1 is down");
    expect(text).toContain("severity");
    await page.getByLabel("Search alerts and labels").fill("no such thing");
    await page.getByText("No alert matches the filters").waitFor();
    expect(complaints).toEqual([]);
  });

  test("shows rules in their groups with their health", async () => {
    await open("rules");
    await page.getByText("job:up:sum").waitFor();
    const rows = page.locator("tbody tr");
    expect(await rows.count()).toBe(3);
    expect(await rows.first().innerText()).toContain("sum by (job) (up)");
    expect(await rows.first().innerText()).toContain("ok");
    await page.getByText("Records", { exact: true }).click();
    await eventually("only the recording rule", async () => (await rows.count()) === 1);
    await page.getByRole("link", { name: "sum by (job) (up)" }).click();
    await page.locator(".result-row").first().waitFor();
    expect(complaints).toEqual([]);
  });

  test("shows targets with the reason why one is down", async () => {
    await open("targets");
    const closed = page.getByRole("region", { name: "Scrape pool closed" });
    await closed.waitFor();
    const { activeTargets } = await api.get<{ activeTargets: { scrapePool: string; lastError: string }[] }>(
      "targets",
    );
    const error = activeTargets.find(({ scrapePool }) => scrapePool === "closed")?.lastError;
    expect(error).toBeTruthy();
    await closed.getByText(error!).waitFor();
    expect(await closed.innerText()).toContain("0 of 1 up");
    await page.getByText(/^Up \d/).click();
    await closed.waitFor({ state: "detached" });
    await page.getByRole("region", { name: "Scrape pool narthex" }).getByText("b2").waitFor();
    expect(complaints).toEqual([]);
  });

  test("shows what discovery found and what relabeling dropped", async () => {
    await open("service-discovery");
    const closed = page.getByRole("region", { name: "Scrape pool closed" });
    await closed.waitFor();
    expect(await closed.innerText()).toContain("1 active, 1 dropped");
    await closed.locator("tr", { hasText: "127.0.0.1:2" }).getByRole("button", { name: "Steps" }).click();
    await page.locator(".relabel-steps .dropped").waitFor();
    expect(complaints).toEqual([]);
  });

  test("shows on its status pages what the API says", async () => {
    await open("status");
    const build = await api.get<{ version: string }>("status/buildinfo");
    await page.getByText(build.version, { exact: true }).first().waitFor();

    await open("tsdb-status");
    const { headStats } = await api.get<{ headStats: { numSeries: number } }>("status/tsdb");
    expect(headStats.numSeries).toBeGreaterThan(0);
    const shown = page.locator(".tile", { hasText: "Series" }).locator("dd");
    await shown.waitFor();
    expect(Number((await shown.innerText()).replace(/\D/g, ""))).toBeGreaterThan(0);

    await open("flags");
    await page.getByLabel("Search flags").fill("storage.tsdb.path");
    await page.getByText(join(folder, "data")).waitFor();

    await open("config");
    await page.locator(".yaml").waitFor();
    expect(await page.locator(".yaml").innerText()).toContain("site: lab");

    await open("alertmanager-discovery");
    await page.getByText("No Alertmanagers").waitFor();
    expect(complaints).toEqual([]);
  });

  test("rings when the configuration can't be loaded, until it can", async () => {
    await open("status");
    const bell = page.getByRole("button", { name: "1 notification" });
    const configPath = join(folder, "prometheus.yml");
    const config = readFileSync(configPath, "utf8");
    writeFileSync(configPath, "scrape_configs: [{}]");
    expect((await fetch(`${narthex.url}/-/reload`, { method: "POST" })).status).toBe(500);
    await bell.click();
    await page.getByText("Configuration reload has failed.").waitFor();
    writeFileSync(configPath, config);
    expect((await fetch(`${narthex.url}/-/reload`, { method: "POST" })).status).toBe(200);
    await bell.waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });

  test("follows the chosen colour scheme and time zone, also after a reload", async () => {
    await open(
      queryAddress({ "g0.expr": "up", "g0.tab": "table", "g0.moment_input": "2026-01-02 15:04:05" }),
    );
    const time = page.getByLabel(/^Time \(/);
    expect(await time.inputValue()).toBe("2026-01-02 20:34:05");
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByText("UTC", { exact: true }).click();
    await page.getByText("Dark", { exact: true }).click();
    await page.reload();
    expect(await time.inputValue()).toBe("2026-01-02 15:04:05");
    const ground = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    const channels = ground.match(/\d+/g)?.map(Number) ?? [];
    expect(Math.max(...channels.slice(0, 3))).toBeLessThan(60);
    expect(complaints).toEqual([]);
  });

  test.skipIf(pictureFolder === undefined)("has its picture taken", async () => {
    const graph = { "g0.tab": "graph", "g0.range_input": "5m" };
    const pages: Record<string, string> = {
      "query-table": queryAddress({ "g0.expr": "scrape_duration_seconds or up" }),
      "query-graph": queryAddress({ "g0.expr": "scrape_duration_seconds", ...graph }),
      "query-error": queryAddress({ "g0.expr": "sum(up" }),
      "query-explain": queryAddress({ "g0.expr": "sum by (job) (rate(up[1m]))", "g0.tab": "explain" }),
      ...Object.fromEntries(
        "query alerts rules targets service-discovery status tsdb-status config flags alertmanager-discovery"
          .split(" ")
          .map((name) => [name, name]),
      ),
    };
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const [name, address] of Object.entries(pages)) {
        await open(address);
        await page.waitForLoadState("networkidle").catch(() => {});
        await page.screenshot({ path: join(pictureFolder!, `${name}-${scheme}.png`) });
      }
    }
  });

  describe("behind a route prefix", () => {
    const prefixedFolder = temporaryFolder("ui-prefix");
    let prefixed: SpawnedServer;

    beforeAll(async () => {
      writeFileSync(join(prefixedFolder, "rules.yml"), RULES);
      const port = await freePort();
      prefixed = await startNarthex({
        config: configFor(port),
        folder: prefixedFolder,
        port,
        flags: [`--web.external-url=http://127.0.0.1:${port}/prom/`],
        readyPath: "/prom/-/ready",
      });
      const prefixedApi = new ApiClient(`${prefixed.url}/prom`);
      await eventually("its targets", async () => {
        const { activeTargets } = await prefixedApi.get<{ activeTargets: unknown[] }>("targets");
        return activeTargets.length === 2;
      });
    });

    afterAll(async () => {
      await prefixed?.stop();
      removeFolder(prefixedFolder);
    });

    test("finds its files, its pages and its API", async () => {
      await open("", prefixed.url);
      expect(new URL(page.url()).pathname).toBe("/prom/query");
      await typeExpression("vector(7)");
      await runExpression();
      await page.locator(".result-row").first().waitFor();
      expect(await page.locator(".result-row").first().innerText()).toContain("7");
      await page.getByRole("link", { name: "Targets" }).click();
      await page.getByRole("region", { name: "Scrape pool closed" }).waitFor();
      expect(new URL(page.url()).pathname).toBe("/prom/targets");
      await page.reload();
      await page.getByRole("region", { name: "Scrape pool closed" }).waitFor();
      expect(complaints).toEqual([]);
    });
  });
});
