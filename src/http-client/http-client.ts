import type { Readable } from "node:stream";
import { Agent, buildConnector, ProxyAgent, type Dispatcher } from "undici";
import { authorizationHeader, basicAuthHeader, extraHeaders } from "./credentials.ts";
import { OAuth2TokenSource } from "./oauth2.ts";
import type { HttpClientOptions } from "./options.ts";
import { chooseProxy, type Environment } from "./proxy-choice.ts";
import { describeNetworkError, HttpRequestError, wasStaleConnection } from "./request-error.ts";
import { readTlsContext, tlsFilesVersion } from "./tls-context.ts";

export interface HttpRequest {
  /** Default GET. */
  readonly method?: "GET" | "POST" | "PUT" | "DELETE" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Deadline for the whole exchange, the body included. None by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Connect here instead of to the URL's host. */
  readonly unixSocketPath?: string;
}

export interface HttpResponse {
  readonly status: number;
  /** `404 Not Found`, with the server's own reason. */
  readonly statusLine: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  /** Must be read to its end or destroyed, or the connection stays taken. */
  readonly body: Readable;
  /** The body as it comes, once; leaving early closes the connection. @throws HttpRequestError when it is cut short or late */
  chunks(): AsyncIterable<Buffer>;
  /** The whole body. @throws HttpRequestError when it is longer than `limitBytes`, cut short or late */
  read(limitBytes: number): Promise<Buffer>;
}

/** One configured way to reach HTTP servers, with its pool of connections. */
export interface HttpClient {
  /** Any status is an answer. @throws HttpRequestError when there is none */
  request(url: string, request?: HttpRequest): Promise<HttpResponse>;
  /** Lets requests under way finish, then closes the connections. */
  close(): Promise<void>;
}

export interface HttpClientSurroundings {
  readonly environment?: Environment;
  readonly now?: () => number;
}

const MAX_REDIRECTS = 10;
const KEEP_ALIVE_MS = 5 * 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
const IMMEDIATE_READ_BYTES = 1 << 16;

export function createHttpClient(
  options: HttpClientOptions = {},
  surroundings: HttpClientSurroundings = {},
): HttpClient {
  return new UndiciClient(options, surroundings.environment ?? process.env, surroundings.now ?? Date.now);
}

class UndiciClient implements HttpClient {
  /** By route: direct, through a unix socket, through a proxy. */
  private readonly dispatchers = new Map<string, Dispatcher>();
  private tlsVersion = "";
  private readonly tokens: OAuth2TokenSource | null;
  private readonly tokenClient: HttpClient | null;

  constructor(
    private readonly options: HttpClientOptions,
    private readonly environment: Environment,
    now: () => number,
  ) {
    const { oauth2, userAgent } = options;
    this.tokenClient = oauth2
      ? createHttpClient({ tls: oauth2.tls, proxy: oauth2.proxy, userAgent }, { environment, now })
      : null;
    this.tokens = oauth2 && this.tokenClient ? new OAuth2TokenSource(oauth2, this.tokenClient, now) : null;
  }

  async request(address: string, request: HttpRequest = {}): Promise<HttpResponse> {
    const deadline = new Deadline(request.timeoutMs, request.signal);
    try {
      return await this.follow(address, request, deadline);
    } catch (error) {
      deadline.clear();
      const verb = request.method ? request.method[0] + request.method.slice(1).toLowerCase() : "Get";
      const reason = deadline.reason ?? describeNetworkError(error);
      throw new HttpRequestError(`${verb} ${JSON.stringify(address)}: ${reason}`, {
        cause: error,
        isTimeout: deadline.hasPassed,
      });
    }
  }

  /** Sends the request, and again to wherever the answers point. Secrets stay with the first host. */
  private async follow(address: string, request: HttpRequest, deadline: Deadline): Promise<HttpResponse> {
    const first = new URL(address);
    let url = first;
    let method = request.method ?? "GET";
    let body = request.body;
    let mayShowSecrets = true;
    for (let hops = 0; ; hops++) {
      mayShowSecrets &&= url.host === first.host;
      const headers = await this.headersFor(request, mayShowSecrets, deadline.signal);
      if (body === undefined) delete headers["content-type"];
      const answer = await this.send(url, method, headers, body, request.unixSocketPath, deadline);
      const location = answer.headers["location"];
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.statusCode);
      if (!isRedirect || this.options.followRedirects === false || typeof location !== "string") {
        return new UndiciResponse(answer, url.href, deadline);
      }
      await answer.body.dump({ limit: IMMEDIATE_READ_BYTES });
      if (hops + 1 >= MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
      url = new URL(location, url);
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        throw new Error(`unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`);
      }
      if (answer.statusCode < 307 && method !== "GET" && method !== "HEAD") {
        method = "GET";
        body = undefined;
      }
    }
  }

  private async headersFor(
    request: HttpRequest,
    mayShowSecrets: boolean,
    signal: AbortSignal,
  ): Promise<Record<string, string | string[]>> {
    const { options } = this;
    const headers: Record<string, string | string[]> = {};
    if (options.userAgent) headers["user-agent"] = options.userAgent;
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      if (mayShowSecrets || !isSensitive(name)) headers[name.toLowerCase()] = value;
    }
    if (!mayShowSecrets) return headers;
    if (options.headers) {
      for (const [name, values] of Object.entries(await extraHeaders(options.headers))) {
        headers[name.toLowerCase()] = values;
      }
    }
    if (headers["authorization"] === undefined) {
      if (options.basicAuth) headers["authorization"] = await basicAuthHeader(options.basicAuth);
      else if (options.authorization)
        headers["authorization"] = await authorizationHeader(options.authorization);
      else if (this.tokens) headers["authorization"] = await this.tokens.authorizationHeader(signal);
    }
    return headers;
  }

  private async send(
    url: URL,
    method: Dispatcher.HttpMethod,
    headers: Record<string, string | string[]>,
    body: string | Uint8Array | undefined,
    unixSocketPath: string | undefined,
    deadline: Deadline,
  ): Promise<Dispatcher.ResponseData> {
    const dispatcher = this.dispatcherFor(url, unixSocketPath);
    const options: Dispatcher.RequestOptions = {
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers,
      signal: deadline.signal,
      body: body ?? null,
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    if (url.username !== "" && headers["authorization"] === undefined) {
      const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      headers["authorization"] = `Basic ${Buffer.from(user).toString("base64")}`;
    }
    try {
      return await dispatcher.request(options);
    } catch (error) {
      if (deadline.signal.aborted || !wasStaleConnection(error)) throw error;
      return dispatcher.request(options);
    }
  }

  private dispatcherFor(url: URL, unixSocketPath: string | undefined): Dispatcher {
    const version = tlsFilesVersion(this.options.tls);
    if (version !== this.tlsVersion) {
      this.tlsVersion = version;
      for (const outdated of this.dispatchers.values()) void outdated.close().catch(() => {});
      this.dispatchers.clear();
    }
    const proxy = unixSocketPath ? null : chooseProxy(this.options.proxy, url, this.environment);
    const isTunnel = url.protocol === "https:";
    const route = unixSocketPath
      ? `unix ${unixSocketPath}`
      : proxy
        ? `${isTunnel ? "tunnel" : "proxy"} ${proxy.href}`
        : "";
    let dispatcher = this.dispatchers.get(route);
    if (dispatcher === undefined) {
      dispatcher = proxy ? this.proxyAgent(proxy, isTunnel) : this.agent(unixSocketPath);
      this.dispatchers.set(route, dispatcher);
    }
    return dispatcher;
  }

  private agent(unixSocketPath: string | undefined): Agent {
    // One connector for all hosts: left to itself, the agent would make one for each, with a cache of TLS sessions.
    const connect = buildConnector({
      ...readTlsContext(this.options.tls ?? {}),
      timeout: CONNECT_TIMEOUT_MS,
      allowH2: this.options.enableHttp2 !== false,
      ...(unixSocketPath ? { socketPath: unixSocketPath } : {}),
    });
    return new Agent({ ...this.commonOptions(), connect });
  }

  private proxyAgent(proxy: URL, isTunnel: boolean): ProxyAgent {
    const tls = readTlsContext(this.options.tls ?? {});
    const user =
      proxy.username === ""
        ? ""
        : `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString("base64")}`;
    const connectHeaders: Record<string, string | string[]> = {};
    if (isTunnel) {
      for (const [name, values] of Object.entries(this.options.proxy?.connectHeaders ?? {})) {
        connectHeaders[name.toLowerCase()] = [...values];
      }
    }
    return new ProxyAgent({
      ...this.commonOptions(),
      uri: proxy.href,
      proxyTunnel: isTunnel,
      headers: connectHeaders,
      ...(user === "" ? {} : { token: user }),
      requestTls: { ...tls, timeout: CONNECT_TIMEOUT_MS, allowH2: this.options.enableHttp2 !== false },
      proxyTls: { ...tls, timeout: CONNECT_TIMEOUT_MS },
    });
  }

  private commonOptions(): Agent.Options {
    return {
      allowH2: this.options.enableHttp2 !== false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 1 << 20,
    };
  }

  async close(): Promise<void> {
    const open = [...this.dispatchers.values()];
    this.dispatchers.clear();
    await Promise.allSettled(open.map((dispatcher) => dispatcher.close()));
    await this.tokenClient?.close();
  }
}

function isSensitive(header: string): boolean {
  return ["authorization", "www-authenticate", "cookie", "cookie2"].includes(header.toLowerCase());
}

class UndiciResponse implements HttpResponse {
  readonly status: number;
  readonly statusLine: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;

  constructor(
    answer: Dispatcher.ResponseData,
    readonly url: string,
    private readonly deadline: Deadline,
  ) {
    this.status = answer.statusCode;
    this.statusLine = `${answer.statusCode} ${answer.statusText}`.trimEnd();
    this.headers = answer.headers;
    this.body = answer.body;
    this.body.once("close", () => deadline.clear());
    // A body that is destroyed before it was read fails, and a failure nobody listens to ends the process.
    this.body.on("error", () => {});
  }

  async *chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.body as AsyncIterable<Buffer>) yield chunk;
    } catch (cause) {
      throw this.readError(cause);
    }
  }

  async read(limitBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.chunks()) {
      size += chunk.length;
      if (size > limitBytes) {
        throw new HttpRequestError(`cannot read answer of ${this.url}: more than ${limitBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
  }

  private readError(cause: unknown): HttpRequestError {
    const { code } = cause as { code?: string };
    const reason =
      this.deadline.reason ?? (code === "UND_ERR_SOCKET" ? "unexpected EOF" : describeNetworkError(cause));
    return new HttpRequestError(reason, { cause, isTimeout: this.deadline.hasPassed });
  }
}

/** The caller's deadline and signal as one signal; its timer must be cleared when the exchange is over. */
class Deadline {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly onCallerAbort = (): void => this.controller.abort();
  hasPassed = false;

  constructor(
    timeoutMs: number | undefined,
    private readonly callerSignal: AbortSignal | undefined,
  ) {
    if (timeoutMs !== undefined) {
      this.timer = setTimeout(() => {
        this.hasPassed = true;
        this.controller.abort();
      }, timeoutMs);
    }
    if (callerSignal?.aborted) this.controller.abort();
    else callerSignal?.addEventListener("abort", this.onCallerAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Why the exchange was given up, if it was. */
  get reason(): string | null {
    if (this.hasPassed) return "context deadline exceeded";
    return this.callerSignal?.aborted ? "context canceled" : null;
  }

  clear(): void {
    clearTimeout(this.timer);
    this.callerSignal?.removeEventListener("abort", this.onCallerAbort);
  }
}
