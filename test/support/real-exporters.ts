import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isInstalled, repositoryRoot } from "./servers.ts";
import { freePort, SpawnedServer } from "./spawned-server.ts";

/** The programs that `RealExporters` starts, from Debian. */
export const EXPORTER_PROGRAMS = [
  "prometheus-node-exporter",
  "mariadbd",
  "mariadb-install-db",
  "prometheus-mysqld-exporter",
  "redis-server",
  "prometheus-redis-exporter",
  "nginx",
  "prometheus-blackbox-exporter",
  "prometheus-pushgateway",
  "prometheus-alertmanager",
  "collectd",
] as const;

/** Whether all of them are installed; where they must be (CI), an absent one is an error. */
export function areExportersInstalled(): boolean {
  return EXPORTER_PROGRAMS.every((program) => isInstalled(program));
}

/** What people scrape, as it is: databases and servers with their exporters, each on a free port of the loopback. */
export class RealExporters {
  private readonly servers: SpawnedServer[] = [];
  /** `host:port` by the name of the job. */
  readonly addresses = new Map<string, string>();

  private constructor(private readonly folder: string) {}

  /** @param folder theirs to write in; the caller removes it */
  static async start(folder: string): Promise<RealExporters> {
    const exporters = new RealExporters(folder);
    try {
      await exporters.startAll();
    } catch (error) {
      await exporters.stop();
      throw error;
    }
    return exporters;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  private async startAll(): Promise<void> {
    const listen = (port: number) => `--web.listen-address=127.0.0.1:${port}`;
    // All of them, even when one fails: what has started must be known to be stopped.
    const starts = await Promise.allSettled([
      this.serve("node", "prometheus-node-exporter", (port) => [listen(port)]),
      this.startMysqld(),
      this.startRedis(),
      this.startNginx(),
      this.startBlackbox(),
      this.startPushgateway(),
      this.serve("alertmanager", "prometheus-alertmanager", (port) => [
        listen(port),
        "--cluster.listen-address=",
        `--storage.path=${this.write("alertmanager", "")}.data`,
        `--config.file=${this.write("alertmanager.yml", "route: { receiver: r }\nreceivers: [{ name: r }]\n")}`,
      ]),
      this.startCollectd(),
      this.serve("prom-client", process.execPath, (port) => [support("prom-client-app.mjs"), String(port)]),
      this.serve("opentelemetry", process.execPath, (port) => [
        support("opentelemetry-app.mjs"),
        String(port),
      ]),
    ]);
    for (const start of starts) if (start.status === "rejected") throw start.reason;
  }

  /** Starts a program that serves a page under `/metrics`, and waits for that. */
  private async serve(
    job: string,
    command: string,
    args: (port: number) => readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<number> {
    const port = await freePort();
    await this.run({
      command,
      args: args(port),
      url: `http://127.0.0.1:${port}`,
      readyPath: "/metrics",
      env,
    });
    this.addresses.set(job, `127.0.0.1:${port}`);
    return port;
  }

  private async run(options: Parameters<typeof SpawnedServer.start>[0]): Promise<SpawnedServer> {
    const server = await SpawnedServer.start(options);
    this.servers.push(server);
    return server;
  }

  private write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  private async startMysqld(): Promise<void> {
    const data = join(this.folder, "mariadb");
    const socket = join(this.folder, "mariadb.sock");
    // It refuses to run as root unless it is told to; everybody else is who they are.
    const user = process.getuid?.() === 0 ? ["--user=root"] : [];
    execFileSync(
      "mariadb-install-db",
      [
        "--no-defaults",
        `--datadir=${data}`,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        ...user,
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    await this.run({
      command: "mariadbd",
      args: [
        "--no-defaults",
        `--datadir=${data}`,
        `--socket=${socket}`,
        `--pid-file=${join(this.folder, "mariadb.pid")}`,
        "--skip-networking",
        "--innodb-buffer-pool-size=8M",
        // The exporter asks for an account with a password.
        `--init-file=${this.write("accounts.sql", "ALTER USER root@localhost IDENTIFIED BY 'loopback';\n")}`,
        ...user,
      ],
      url: `unix://${socket}`,
      isReady: () => existsSync(socket),
    });
    const account = this.write("my.cnf", `[client]\nuser=root\npassword=loopback\nsocket=${socket}\n`);
    await this.serve("mysqld", "prometheus-mysqld-exporter", (port) => [
      `--web.listen-address=127.0.0.1:${port}`,
      `--config.my-cnf=${account}`,
    ]);
  }

  private async startRedis(): Promise<void> {
    const socket = join(this.folder, "redis.sock");
    await this.run({
      command: "redis-server",
      args: ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", this.folder],
      url: `unix://${socket}`,
      isReady: () => existsSync(socket),
    });
    await this.serve("redis", "prometheus-redis-exporter", (port) => [
      `-web.listen-address=127.0.0.1:${port}`,
      `-redis.addr=unix://${socket}`,
    ]);
  }

  /** A page of its own numbers, which nginx writes itself, and one of HTML for the black box to look at. */
  private async startNginx(): Promise<void> {
    const folder = join(this.folder, "nginx");
    mkdirSync(folder);
    const page = ["active", "reading", "writing", "waiting"]
      .map((state) => `nginx_connections{state=\\"${state}\\"} $connections_${state}\\n`)
      .join("");
    await this.serve("nginx", "nginx", (port) => [
      "-p",
      folder,
      "-c",
      this.write(
        "nginx.conf",
        `
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${folder}/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port};
    location = / { default_type text/html; return 200 "<h1>here</h1>"; }
    location = /metrics {
      default_type "text/plain; version=0.0.4";
      return 200 "# HELP nginx_connections Connections by state.\\n# TYPE nginx_connections gauge\\n${page}";
    }
  }
}
`,
      ),
      "-e",
      "stderr",
    ]);
  }

  private async startBlackbox(): Promise<void> {
    const modules = this.write(
      "blackbox.yml",
      `
modules:
  http_2xx: { prober: http, http: { preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [here] } }
  tcp: { prober: tcp }
`,
    );
    await this.serve("blackbox", "prometheus-blackbox-exporter", (port) => [
      `--web.listen-address=127.0.0.1:${port}`,
      `--config.file=${modules}`,
    ]);
  }

  private async startPushgateway(): Promise<void> {
    const port = await this.serve("pushgateway", "prometheus-pushgateway", (port) => [
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const push = async (path: string, body: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics/${path}`, { method: "PUT", body });
      if (!answer.ok) throw new Error(`cannot push to ${path}: ${answer.status} ${await answer.text()}`);
    };
    await push(
      "job/backup/instance/db1",
      "# TYPE backup_seconds summary\n" +
        'backup_seconds{quantile="0.5"} 1\nbackup_seconds{quantile="1"} 12.5\nbackup_seconds_sum 14\nbackup_seconds_count 3\n' +
        "# TYPE backup_bytes gauge\nbackup_bytes 1.5e+09\n",
    );
    // Without an instance: it stands empty on the page, and the target's own does not take its place.
    await push(
      "job/nightly/path@base64/L3Zhci90bXA",
      '# TYPE rows_total counter\nrows_total{table="a"} 7\nrows_total{table="b"} 9\n' +
        "# TYPE took histogram\n" +
        'took_bucket{le="1"} 1\ntook_bucket{le="10"} 2\ntook_bucket{le="+Inf"} 2\ntook_sum 8.5\ntook_count 2\n',
    );
  }

  private async startCollectd(): Promise<void> {
    await this.serve("collectd", "collectd", (port) => [
      "-f",
      "-C",
      this.write(
        "collectd.conf",
        `
Hostname "collectd.test"
BaseDir "${this.folder}"
PIDFile "${this.folder}/collectd.pid"
Interval 1
LoadPlugin cpu
LoadPlugin load
LoadPlugin memory
LoadPlugin processes
LoadPlugin uptime
LoadPlugin write_prometheus
<Plugin write_prometheus>
  Host "127.0.0.1"
  Port "${port}"
</Plugin>
`,
      ),
    ]);
  }
}

function support(file: string): string {
  return join(repositoryRoot, "test/support", file);
}
