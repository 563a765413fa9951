// Builds everything that runs: kernels → WebAssembly, entry points → dist/*.js, the web page → dist/ui.
//
//   node scripts/build.mjs [--no-ui]
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const node = process.execPath;

execFileSync(node, ["scripts/build-kernels.mjs"], { stdio: "inherit" });

for (const name of existsSync("dist") ? readdirSync("dist") : []) {
  if (name.endsWith(".js") || name.endsWith(".js.map")) rmSync(join("dist", name));
}

/**
 * Every thread keeps the source it loaded, and the allocator the room for the largest file that was read. So packages
 * are minified in full, names included, and what Fastify would only load for JSON schemas and its test client is left
 * out: `src/api/app.ts` sees to it that nobody asks for the former.
 */
const smallPackages = {
  name: "small-packages",
  setup({ onLoad, onResolve }) {
    const never = /^(@fastify\/(ajv-compiler|fast-json-stringify-compiler)|light-my-request)$/;
    onResolve({ filter: never }, ({ path }) => ({ path, namespace: "never" }));
    onLoad({ filter: /./, namespace: "never" }, ({ path }) => ({
      contents: `throw new Error("cannot load ${path}: it is not part of this build");`,
    }));
    onLoad({ filter: /node_modules\/.*\.[cm]?js$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), {
        ...{ minify: true, target: "node20", legalComments: "none" },
        ...{ sourcefile: path, sourcemap: "inline" },
      });
      return { contents: code };
    });
  },
};

const threads = readdirSync("src/runtime").filter((name) => name.endsWith("-thread.ts"));
const benches = existsSync("bench/end-to-end")
  ? readdirSync("bench/end-to-end").filter((name) => name.endsWith(".bench.ts"))
  : [];
const options = {
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // Those with native code are found at run time, if they are installed.
  external: ["@node-rs/crc32", "@kubernetes/client-node"],
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
  banner: {
    js: 'import { createRequire as narthexCreateRequire } from "node:module"; const require = narthexCreateRequire(import.meta.url);',
  },
  sourcemap: true,
  chunkNames: "chunk-[name]-[hash]",
  logLevel: "warning",
};
await build({
  ...options,
  entryPoints: [
    ...["src/server.ts", "src/promtool.ts"]
      .filter((path) => existsSync(path))
      .map((path) => ({
        in: path,
        out: path.replace(/^src\/|\.ts$/g, ""),
      })),
    ...threads.map((name) => ({ in: `src/runtime/${name}`, out: name.replace(/\.ts$/, "") })),
    ...benches.map((name) => ({
      in: `bench/end-to-end/${name}`,
      out: `bench/${name.replace(/\.bench\.ts$/, "")}`,
    })),
  ],
  plugins: [smallPackages],
});
// The fuzzer asks the API by Fastify's test client.
await build({
  ...options,
  entryPoints: ["fuzz", "fuzz-thread"]
    .filter((name) => existsSync(`test/fuzz/${name}.ts`))
    .map((name) => ({ in: `test/fuzz/${name}.ts`, out: `fuzz/${name}` })),
});

if (!process.argv.includes("--no-ui")) {
  execFileSync(
    node,
    ["node_modules/vite/bin/vite.js", "build", "-c", "src/ui/vite.config.ts", "--logLevel", "warn"],
    {
      stdio: "inherit",
    },
  );
}
