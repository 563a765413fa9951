/** The server: `node dist/server.js --config prometheus.yml`. */
import "./runtime/heap-settings.ts";

// Only now: what a module allocates while it loads is to be under those settings too.
await import("./runtime/run-server.ts");
