import type { FastifyInstance } from "fastify";
import type { Ports } from "../ports.ts";
import { sendText } from "../responses.ts";

/** Health, readiness, reload, quit, and the server's own metrics. */
export function lifecycleRoutes(app: FastifyInstance, ports: Ports): void {
  const { lifecycle, metrics } = ports;
  app.route({
    method: ["GET", "HEAD"],
    url: "/-/healthy",
    handler: (_request, reply) => sendText(reply, 200, "Prometheus Server is Healthy.\n"),
  });
  app.route({
    method: ["GET", "HEAD"],
    url: "/-/ready",
    config: { needsReady: true },
    handler: (_request, reply) => sendText(reply, 200, "Prometheus Server is Ready.\n"),
  });
  app.route({
    method: ["POST", "PUT"],
    url: "/-/reload",
    handler: async (_request, reply) => {
      if (!lifecycle.isEnabled) return sendText(reply, 403, "Lifecycle API is not enabled.");
      try {
        await lifecycle.reload();
        return reply.code(200).send();
      } catch (error) {
        return sendText(reply, 500, `failed to reload config: ${(error as Error).message}\n`);
      }
    },
  });
  app.route({
    method: ["POST", "PUT"],
    url: "/-/quit",
    handler: (_request, reply) => {
      if (!lifecycle.isEnabled) return sendText(reply, 403, "Lifecycle API is not enabled.");
      return sendText(
        reply,
        200,
        lifecycle.quit() ? "Requesting termination... Goodbye!" : "Termination already in progress.",
      );
    },
  });
  for (const url of ["/-/reload", "/-/quit"]) {
    app.get(url, (_request, reply) =>
      lifecycle.isEnabled
        ? sendText(reply, 405, "Only POST or PUT requests allowed")
        : sendText(reply, 403, "Lifecycle API is not enabled."),
    );
  }
  app.get("/metrics", async (_request, reply) => {
    const page = await metrics.page();
    return reply.type(page.contentType).send(page.body);
  });
}
