import type { FastifyInstance } from "fastify";
import type { Ports } from "../ports.ts";
import { sendData } from "../responses.ts";
import type { NotificationBody } from "../types.ts";

/** A follower with more than this unread, in bytes, misses changes rather than filling our memory. */
const MAX_UNREAD_BYTES = 64 * 1024;

/** The notifications, once or as they come and go. Neither waits for the server to be ready. */
export function notificationRoutes(app: FastifyInstance, { notifications }: Ports): void {
  app.get("/api/v1/notifications", (_request, reply) => sendData(reply, notifications.current()));
  app.get("/api/v1/notifications/live", (_request, reply) => {
    const stream = reply.raw;
    const send = (notification: NotificationBody) => {
      if (stream.writableLength < MAX_UNREAD_BYTES) stream.write(`data: ${JSON.stringify(notification)}\n\n`);
    };
    const current = notifications.current();
    const leave = notifications.follow(send);
    // An answer without content tells a browser not to come back.
    if (!leave) return reply.code(204).send();
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) stream.setHeader(name, value);
    }
    stream.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache",
      Connection: "keep-alive",
    });
    stream.flushHeaders();
    current.forEach(send);
    stream.on("close", leave);
    return reply;
  });
}
