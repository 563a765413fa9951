import type { FastifyReply, FastifyRequest } from "fastify";
import { quoteBytes } from "../model/quote-bytes.ts";
import { ApiError } from "./api-error.ts";
import { errorEnvelope } from "./envelope.ts";
import { sendParts } from "./responses.ts";

/** Every route there is, so that a miss can be told apart: another verb, another spelling, or nothing at all. */
export class KnownRoutes {
  private readonly methodsByPattern = new Map<string, Set<string>>();

  add(method: string | string[], pattern: string): void {
    const methods = this.methodsByPattern.get(pattern) ?? new Set<string>();
    for (const one of Array.isArray(method) ? method : [method]) methods.add(one);
    this.methodsByPattern.set(pattern, methods);
  }

  /** The verbs this very path takes; null where no route has it. */
  methodsOf(path: string): Set<string> | null {
    for (const [pattern, methods] of this.methodsByPattern) {
      if (!pattern.endsWith("*") && matchesPattern(pattern, path)) return methods;
    }
    return null;
  }

  /** The path of a route of this verb that differs only by a trailing slash or by letter case. */
  correctedPath(method: string, path: string): string | null {
    const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    for (const candidate of [trimmed, trimmed.toLowerCase()]) {
      if (candidate !== path && this.methodsOf(candidate)?.has(method)) return candidate;
    }
    return null;
  }
}

function matchesPattern(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length && wanted.every((part, i) => part.startsWith(":") || part === given[i])
  );
}

/** 405 for a known path, a redirect for a near miss, else 404; as Prometheus's router answers. */
export function answerUnknownRoute(
  known: KnownRoutes,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const [path = "/", ...rest] = request.url.split("?");
  const methods = known.methodsOf(path);
  if (methods) {
    const allow = [...new Set([...methods, "OPTIONS"])].sort().join(", ");
    if (request.method === "OPTIONS") return reply.code(200).header("Allow", allow).send();
    return plainError(reply.header("Allow", allow), 405, "Method Not Allowed\n");
  }
  const cleaned = cleanPath(path);
  const corrected = cleaned === path ? known.correctedPath(request.method, path) : cleaned;
  if (corrected !== null) {
    const query = rest.length > 0 ? `?${rest.join("?")}` : "";
    return reply.redirect(corrected + query, request.method === "GET" ? 301 : 307);
  }
  return plainError(reply, 404, "404 page not found\n");
}

/** Without empty and dot segments; a slash at the end stays. */
function cleanPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  const cleaned = `/${segments.join("/")}`;
  return path.endsWith("/") && cleaned !== "/" ? `${cleaned}/` : cleaned;
}

/** Escapes in the path that stand for no text: only a label name may hold them, and then it is an invalid one. */
export function answerBadUrl(
  request: FastifyRequest,
  reply: FastifyReply,
  routePrefix: string,
): FastifyReply {
  const path = request.url.split("?", 1)[0]!;
  const name = /^\/api\/v1\/label\/([^/]*)\/values$/.exec(path.slice(routePrefix.length))?.[1];
  if (name === undefined || BAD_ESCAPE.test(name)) return plainError(reply, 400, "400 Bad Request");
  const bytes = name.replace(/%(..)/g, (_whole, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  const error = new ApiError("bad_data", `invalid label name: ${quoteBytes(bytes)}`);
  return sendParts(reply, error.status, errorEnvelope(error));
}

const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/;

function plainError(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply
    .code(status)
    .type("text/plain; charset=utf-8")
    .header("X-Content-Type-Options", "nosniff")
    .send(text);
}
