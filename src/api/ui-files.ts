import { readdirSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import type { FastifyInstance } from "fastify";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
};

/**
 * A route for each file that is in the folder now: those of the web page. Nothing else in the world can be asked for,
 * whatever the path says.
 */
export function uiFiles(app: FastifyInstance, directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const url = `/${relative(directory, path).split(sep).join("/")}`;
    const type = CONTENT_TYPES[extname(path)] ?? "application/octet-stream";
    // Names under assets/ carry a hash of their content; the few others may change behind theirs.
    const caching = url.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    app.route({
      method: ["GET", "HEAD"],
      url,
      handler: async (request, reply) => {
        const { mtimeMs, size } = await stat(path);
        const tag = `W/"${size.toString(16)}-${Math.floor(mtimeMs).toString(16)}"`;
        reply.header("Cache-Control", caching).header("ETag", tag);
        if (request.headers["if-none-match"] === tag) return reply.code(304).send();
        return reply.type(type).send(await readFile(path));
      },
    });
  }
}
