// Makes a clone ready to run: packages installed, everything built; with --test also the real servers that the
// end-to-end tests drive, where this is Debian and we are root. Does only what is missing or out of date.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const forTests = process.argv.includes("--test");

installPackages();
buildIfStale();
if (forTests) installPeers();

function installPackages() {
  const hash = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex");
  const stamp = "node_modules/.narthex-lock-hash";
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  console.log("installing packages …");
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { stdio: "inherit" });
  writeFileSync(stamp, hash);
}

function buildIfStale() {
  const stamp = "dist/.built";
  const newest = newestChange(["src", "bench", "test/fuzz", "scripts", "package.json", "package-lock.json"]);
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newest && existsSync("src/kernels/kernels-wasm.ts"))
    return;
  console.log("building …");
  execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
  mkdirSync("dist", { recursive: true });
  writeFileSync(stamp, "");
}

function newestChange(paths) {
  let newest = 0;
  for (const path of paths) {
    if (!existsSync(path) || path.endsWith("kernels-wasm.ts")) continue;
    const stat = statSync(path);
    newest = Math.max(
      newest,
      stat.isDirectory() ? newestChange(readdirSync(path).map((name) => join(path, name))) : stat.mtimeMs,
    );
  }
  return newest;
}

/** Program → Debian package. A test whose program is missing is skipped with that reason, and fails where CI=true. */
function installPeers() {
  const peers = {
    prometheus: "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus-node-exporter": "prometheus-node-exporter",
    chromium: "chromium",
    "prometheus-mysqld-exporter": "prometheus-mysqld-exporter",
    "prometheus-redis-exporter": "prometheus-redis-exporter",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "prometheus-pushgateway": "prometheus-pushgateway",
    mariadbd: "mariadb-server",
    "redis-server": "redis-server",
    nginx: "nginx-light",
    collectd: "collectd-core",
    dnsmasq: "dnsmasq-base",
    "victoria-metrics": "victoria-metrics",
  };
  // What collectd's page for Prometheus needs and its package only recommends.
  const libraries = ["libmicrohttpd12", "libprotobuf-c1"];
  const missing = [
    ...Object.keys(peers).filter((program) => spawnSync("which", [program]).status !== 0),
    ...libraries.filter((name) => spawnSync("dpkg-query", ["--show", name]).status !== 0),
  ];
  if (missing.length === 0 || process.getuid?.() !== 0 || spawnSync("which", ["apt-get"]).status !== 0)
    return;
  console.log(`installing the test peers ${missing.join(", ")} …`);
  // The packages would start their services at once, on the ports our users know: forbid it while they install.
  const policy = "/usr/sbin/policy-rc.d";
  const hadPolicy = existsSync(policy);
  if (!hadPolicy) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    execFileSync("apt-get", ["update", "-qq"], { stdio: ["ignore", "ignore", "inherit"], env });
    execFileSync(
      "apt-get",
      [
        "install",
        "-y",
        "-qq",
        "--no-install-recommends",
        ...missing.map((name) => peers[name] ?? name),
        "fonts-dejavu-core",
      ],
      { stdio: ["ignore", "ignore", "inherit"], env },
    );
  } catch (error) {
    console.error(`cannot install the test peers: ${error.message}; their tests will say so`);
  } finally {
    if (!hadPolicy) rmSync(policy, { force: true });
  }
}
