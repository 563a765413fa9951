import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { repositoryRoot } from "../../test/support/servers.ts";
import { freePort } from "../../test/support/spawned-server.ts";

/** The pages of `page-server.ts`, served by a process of its own, so that serving is in nobody's figures. */
export class ServedPages {
  private constructor(
    private readonly port: number,
    private readonly process: ChildProcess,
  ) {}

  /** @param series of each target @param churn the share of them that is other at each scrape */
  static async start(
    series: number,
    { churn = 0, compresses = true }: { readonly churn?: number; readonly compresses?: boolean } = {},
  ): Promise<ServedPages> {
    const port = await freePort();
    const script = join(repositoryRoot, "dist/bench/page-server.js");
    const encoding = compresses ? "gzip" : "identity";
    const served = spawn(process.execPath, [script, String(port), String(series), String(churn), encoding], {
      stdio: ["pipe", "inherit", "inherit"],
    });
    return new ServedPages(port, served);
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** A job that scrapes the first `count` targets. */
  scrapeConfig(job: string, count: number, interval: string): string {
    const targets = Array.from(
      { length: count },
      (_, i) =>
        `      - { targets: ["127.0.0.1:${this.port}"], labels: { __metrics_path__: "/${i}/metrics", replica: "${i}" } }`,
    );
    return `
scrape_configs:
  - job_name: ${job}
    scrape_interval: ${interval}
    scrape_timeout: ${interval}
    static_configs:
${targets.join("\n")}
`;
  }

  /**
   * How far the gaps between each target's scrapes were off the interval, in ms, since this was asked last.
   * @param userAgent how that of the server in question begins
   */
  async latenessMs(intervalSeconds: number, userAgent: string): Promise<number[]> {
    const address = `http://127.0.0.1:${this.port}/lateness?interval=${intervalSeconds * 1000}&server=${userAgent}`;
    return (await (await fetch(address)).json()) as number[];
  }

  stop(): void {
    this.process.stdin!.end();
    this.process.kill();
  }
}
