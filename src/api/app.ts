import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { ApiError } from "./api-error.ts";
import { errorEnvelope } from "./envelope.ts";
import { countRequests } from "./http-metrics.ts";
import { multipartForm } from "./multipart-form.ts";
import { packAnswers } from "./pack-answers.ts";
import type { ApiOptions, Ports } from "./ports.ts";
import { sendParts } from "./responses.ts";
import { uiFiles } from "./ui-files.ts";
import { answerBadUrl, answerUnknownRoute, KnownRoutes } from "./unknown-routes.ts";
import { adminRoutes } from "./routes/admin.ts";
import { lifecycleRoutes } from "./routes/lifecycle.ts";
import { notificationRoutes } from "./routes/notifications.ts";
import { queryRoutes } from "./routes/query.ts";
import { rulesRoutes } from "./routes/rules.ts";
import { seriesRoutes } from "./routes/series.ts";
import { statusRoutes } from "./routes/status.ts";
import { targetsRoutes } from "./routes/targets.ts";

const FORM = "application/x-www-form-urlencoded";
const MULTIPART_FORM = "multipart/form-data";
const IS_FORM = /^(?:application\/x-www-form-urlencoded|multipart\/form-data)\s*(?:;|$)/i;
const MAX_FORM_BYTES = 10 * 1024 * 1024;
/** A label name in a path may be long; the router's own bound of 100 characters would answer 404. */
const MAX_PATH_PARAMETER_LENGTH = 4096;

/** The pages the web app shows; each is answered with the same document. */
const uiPages = [
  ...["/query", "/alerts", "/rules", "/tsdb-status", "/config", "/flags"],
  ...["/service-discovery", "/alertmanager-discovery", "/status", "/targets"],
];

/** No route here has a JSON schema. Left to itself Fastify would load its compilers for them, megabytes of code. */
const withoutSchemas = {
  buildValidator: () => refuseSchema,
  buildSerializer: () => refuseSchema,
};

function refuseSchema(): never {
  throw new Error("cannot compile a JSON schema: this application has no compiler for them");
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Not answered before the server is ready, nor while it stops. */
    needsReady?: boolean;
  }
}

/**
 * The whole HTTP surface: the API, the plain routes and the web page, as one Fastify application. It listens to
 * nothing by itself; `app.inject` reaches every route in a test.
 */
export async function createApp(ports: Ports, options: ApiOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_FORM_BYTES,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    // Routes read their parameters themselves (`params.ts`), by Go's rules.
    routerOptions: { maxParamLength: MAX_PATH_PARAMETER_LENGTH, querystringParser: () => ({}) },
    schemaController: { compilersFactory: withoutSchemas },
    frameworkErrors: (_error, request, reply) => answerBadUrl(request, reply, options.routePrefix),
  });
  const known = new KnownRoutes();
  app.addHook("onRoute", (route) => known.add(route.method, route.url));

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(FORM, { parseAs: "string" }, (_request, body, done) => done(null, body));
  app.addContentTypeParser(MULTIPART_FORM, { parseAs: "buffer" }, (request, body, done) =>
    done(null, multipartForm(body as Buffer, request.headers["content-type"] ?? "")),
  );
  // Other bodies are not looked at by the routes here, as Prometheus does not.
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, _body, done) => done(null, null));

  countRequests(app, ports.metrics.registry, options.routePrefix);
  packAnswers(app);

  const apiPrefix = `${options.routePrefix}/api/v1/`;
  app.addHook("onRequest", (request, reply, done) => {
    // What is no media type at all would be refused before a route sees it.
    const { headers } = request;
    if (headers["content-type"] !== undefined && !IS_FORM.test(headers["content-type"]))
      headers["content-type"] = "application/octet-stream";
    if (ports.lifecycle.state !== "ready" && request.routeOptions.config.needsReady) {
      reply
        .code(503)
        .header("X-Prometheus-Stopping", String(ports.lifecycle.state === "stopping"))
        .type("text/plain; charset=utf-8")
        .send("Service Unavailable");
      return;
    }
    if (request.url.startsWith(apiPrefix)) allowOrigin(request, reply, options);
    done();
  });

  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const apiError =
      error instanceof ApiError
        ? error
        : new ApiError(
            (error.statusCode ?? 500) < 500 ? "bad_data" : "internal",
            error.message,
            error.statusCode ?? 500,
          );
    return sendParts(reply, apiError.status, errorEnvelope(apiError));
  });
  app.setNotFoundHandler((request, reply) => answerUnknownRoute(known, request, reply));

  const routes = async (scope: FastifyInstance): Promise<void> => {
    queryRoutes(scope, ports, options);
    seriesRoutes(scope, ports);
    targetsRoutes(scope, ports);
    rulesRoutes(scope, ports);
    statusRoutes(scope, ports);
    adminRoutes(scope, ports);
    lifecycleRoutes(scope, ports);
    notificationRoutes(scope, ports);
    scope.options("/api/v1/*", (_request, reply) => reply.code(204).send());
    webPage(scope, options);
  };
  await app.register(routes, { prefix: options.routePrefix });
  if (options.routePrefix !== "") {
    app.get("/", (_request, reply) => reply.redirect(options.routePrefix, 302));
  }
  return app;
}

function allowOrigin(request: FastifyRequest, reply: FastifyReply, options: ApiOptions): void {
  reply.header("Vary", "Origin");
  const origin = request.headers.origin;
  if (origin === undefined) return;
  reply.header("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
  reply.header("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  reply.header("Access-Control-Expose-Headers", "Date");
  if (options.corsOrigin === null) reply.header("Access-Control-Allow-Origin", "*");
  else if (options.corsOrigin.matches(origin)) reply.header("Access-Control-Allow-Origin", origin);
}

function webPage(scope: FastifyInstance, options: ApiOptions): void {
  const { uiDirectory } = options;
  scope.get("/", (_request, reply) => reply.redirect(`${options.externalPath}/query`, 302));
  scope.get("/graph", (request, reply) => {
    const questionMark = request.url.indexOf("?");
    const query = questionMark < 0 ? "" : request.url.slice(questionMark + 1);
    return reply.redirect(`${options.externalPath}/query?${query}`, 302);
  });
  const indexPath = uiDirectory === null ? null : join(uiDirectory, "index.html");
  if (uiDirectory === null || indexPath === null || !existsSync(indexPath)) {
    for (const page of uiPages) {
      scope.get(page, (_request, reply) =>
        reply
          .code(404)
          .type("text/plain; charset=utf-8")
          .send("the web page was not built: run `npm run build`\n"),
      );
    }
    return;
  }
  const page = renderIndex(readFileSync(indexPath, "utf8"), options);
  for (const path of uiPages)
    scope.get(path, (_request, reply) => reply.type("text/html; charset=utf-8").send(page));
  uiFiles(scope, uiDirectory);
}

/** The document with what only the server knows, in the places the page reads it from. */
function renderIndex(html: string, options: ApiOptions): string {
  const escape = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
  return html.replaceAll("NARTHEX_PAGE_TITLE", escape(options.pageTitle));
}
