import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { authorizationHeader, basicAuthHeader, credentialsOf, extraHeaders } from "./credentials.ts";
import type { Cancellation } from "./cancellation.ts";
import type * as DispatchersModule from "./dispatchers.ts";
import { OAuth2TokenSource } from "./oauth2.ts";
import type { HttpClientOptions } from "./options.ts";
import { Deadlines } from "./deadlines.ts";
import {
  PlainConnections,
  plainRequest,
  requestText,
  type PlainAnswer,
  type PlainExchange,
  type PlainRequest,
} from "./plain-connections.ts";
import { chooseProxy, type Environment } from "./proxy-choice.ts";
import { describeNetworkError, HttpRequestError, wasStaleConnection } from "./request-error.ts";
import type { BodyBuffers } from "./response-reader.ts";
import { tlsFilesVersion } from "./tls-context.ts";
import { urlWithoutPassword } from "./url-without-password.ts";
import { AnswerTooLargeError, BrokenAnswerError } from "./whole-answer.ts";
import { WholeAnswerHandler } from "./whole-answer-handler.ts";

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

/** What is asked where the answer is wanted whole. */
export interface WholeRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** A body of this size is too large already. */
  readonly limitBytes: number;
  readonly timeoutMs: number;
  readonly cancellation?: Cancellation;
  readonly unixSocketPath?: string;
  /** Where the body is put if it comes by plain HTTP; by default in memory of the client's own. */
  readonly buffers?: BodyBuffers;
}

export interface WholeResponse {
  readonly status: number;
  readonly statusLine: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as it came, in pieces; empty where the status is not 200. */
  readonly chunks: readonly Buffer[];
  readonly sizeBytes: number;
  /** Gives the body's memory back for other answers; it must not be read any more then. May be left out. */
  release(): void;
}

/** A request that is put together once and sent as often as need be. */
export interface PageRequest {
  /** One at a time. @throws HttpRequestError, or AnswerTooLargeError */
  send(): Promise<WholeResponse>;
}

/** One configured way to reach HTTP servers, with its pool of connections. */
export interface HttpClient {
  /** Any status is an answer. @throws HttpRequestError when there is none */
  request(url: string, request?: HttpRequest): Promise<HttpResponse>;
  /**
   * Gets a page whole: for answers that come often, at the least cost.
   * @throws HttpRequestError, or AnswerTooLargeError
   */
  requestWhole(url: URL, request: WholeRequest): Promise<WholeResponse>;
  /** Lets requests under way finish, then closes the connections. */
  close(): Promise<void>;
}

/** One that asks for the same pages again and again. */
export interface PageClient extends HttpClient {
  pageRequest(url: URL, request: WholeRequest): PageRequest;
}

export interface HttpClientSurroundings {
  readonly environment?: Environment;
  readonly now?: () => number;
}

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const IMMEDIATE_READ_BYTES = 1 << 16;
const DEADLINE_EXCEEDED = "context deadline exceeded";
const CANCELED = "context canceled";

export function createHttpClient(
  options: HttpClientOptions = {},
  surroundings: HttpClientSurroundings = {},
): PageClient {
  return new ConfiguredClient(options, surroundings.environment ?? process.env, surroundings.now ?? Date.now);
}

/** What following redirects needs to know of an answer. */
interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface Exchange {
  readonly url: URL;
  readonly method: Dispatcher.HttpMethod;
  readonly headers: Record<string, string | string[]>;
  readonly body: string | Uint8Array | undefined;
  /** Where it goes through one. */
  readonly proxy: URL | null;
}

type Dispatchers = typeof DispatchersModule;

/** What can be done about an exchange from outside. */
interface UnderWay {
  giveUp: ((error: Error) => void) | null;
  /** Why it was given up, if it was. */
  reason: string | null;
}

class ConfiguredClient implements PageClient {
  /** By route: direct, through a unix socket, through a proxy. */
  private readonly dispatchers = new Map<string, Dispatcher>();
  private undici: Dispatchers | null = null;
  private readonly plain = new PlainConnections();
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
      const { answer, url } = await this.follow(new URL(address), request, deadline.signal, {
        send: async (exchange) => {
          const dispatcher = await this.dispatcherFor(exchange, request.unixSocketPath);
          const body = exchange.body ?? null;
          return dispatcher.request({ ...requestOptions(exchange), body, signal: deadline.signal });
        },
        discard: (answer) => answer.body.dump({ limit: IMMEDIATE_READ_BYTES }),
        isOver: () => deadline.signal.aborted,
      });
      return new UndiciResponse(answer, url.href, deadline);
    } catch (error) {
      deadline.clear();
      throw failureOf(request.method ?? "GET", address, deadline.reason, error);
    }
  }

  requestWhole(address: URL, request: WholeRequest): Promise<WholeResponse> {
    return this.pageRequest(address, request).send();
  }

  pageRequest(address: URL, request: WholeRequest): PageRequest {
    return new RepeatedRequest(address, request, this.plain, {
      plainText: () => this.plainText(address, request),
      pointsElsewhere: (answer) => this.redirectOf(answer) !== "",
      ask: (startedMs, first) => this.askForWhole(address, request, startedMs, first),
    });
  }

  /** What goes over the wire, where that is always the same and needs no more than a plain connection; else null. */
  private plainText(url: URL, request: WholeRequest): string | null {
    if (url.protocol !== "http:" || this.hasSecrets || this.proxyOf(url, request) !== null) return null;
    const headers = plainHeaders(this.options.userAgent, request.headers, true);
    delete headers["content-type"];
    addCredentialsOf(url, headers);
    return requestText(url, headers);
  }

  /** @param first the answer that the first request got, if it was sent already */
  private async askForWhole(
    address: URL,
    request: WholeRequest,
    startedMs: number,
    first: PlainAnswer | null,
  ): Promise<WholeResponse> {
    const { cancellation } = request;
    const underWay: UnderWay = { giveUp: null, reason: null };
    // Only the wait for a token needs a signal: pages are asked for all the time, and mostly without one.
    const waiting = this.tokens ? new AbortController() : null;
    const giveUp = (reason: string): void => {
      underWay.reason ??= reason;
      waiting?.abort();
      underWay.giveUp?.(new Error(reason));
    };
    const leftMs = request.timeoutMs - (performance.now() - startedMs);
    const timer = setTimeout(giveUp, leftMs, DEADLINE_EXCEEDED);
    cancellation?.whenCancelled(() => giveUp(CANCELED));
    let given = first;
    try {
      const { answer } = await this.follow<PlainAnswer>(address, request, waiting?.signal, {
        send: (exchange) => {
          const answered = given;
          given = null;
          return answered ? Promise.resolve(answered) : this.sendForWhole(exchange, request, underWay);
        },
        discard: () => undefined,
        isOver: () => underWay.reason !== null,
      });
      return wholeResponse(answer);
    } catch (error) {
      throw wholeFailure(address, underWay.reason, error);
    } finally {
      clearTimeout(timer);
      cancellation?.whenCancelled(null);
    }
  }

  private async sendForWhole(
    exchange: Exchange,
    request: WholeRequest,
    underWay: UnderWay,
  ): Promise<PlainAnswer> {
    if (underWay.reason !== null) throw new Error(underWay.reason);
    const { headers, proxy, url } = exchange;
    if (url.protocol === "http:" && proxy === null) {
      const plain = plainRequest(url, requestText(url, headers), request);
      return new Promise((answered, failed) => {
        const begun = this.plain.begin(plain, { answered, failed });
        underWay.giveUp = (error) => begun.giveUp(error);
      });
    }
    const dispatcher = await this.dispatcherFor(exchange, request.unixSocketPath);
    const handler = new WholeAnswerHandler(request.limitBytes);
    underWay.giveUp = (error) => handler.giveUp(error);
    dispatcher.dispatch(requestOptions(exchange), handler);
    return { ...(await handler.answer), release: () => undefined };
  }

  /** Sends the request, and again to wherever the answers point. Secrets stay with the first host. */
  private async follow<T extends Answer>(
    first: URL,
    request: Pick<HttpRequest, "method" | "headers" | "body" | "unixSocketPath">,
    signal: AbortSignal | undefined,
    way: {
      send(exchange: Exchange): Promise<T>;
      /** Frees the connection of an answer that only pointed elsewhere. */
      discard(answer: T): Promise<unknown> | undefined;
      isOver(): boolean;
    },
  ): Promise<{ answer: T; url: URL }> {
    let url = first;
    let method = request.method ?? "GET";
    let body = request.body;
    let mayShowSecrets = true;
    for (let hops = 0; ; hops++) {
      if (url.protocol !== "http:" && url.protocol !== "https:")
        throw new Error(`unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`);
      mayShowSecrets &&= url.host === first.host;
      const headers = plainHeaders(this.options.userAgent, request.headers, mayShowSecrets);
      if (mayShowSecrets && this.hasSecrets) await this.addSecrets(headers, signal);
      if (body === undefined) delete headers["content-type"];
      addCredentialsOf(url, headers);
      const proxy = this.proxyOf(url, request);
      const exchange = { url, method, headers, body, proxy };
      let answer: T;
      try {
        answer = await way.send(exchange);
      } catch (error) {
        if (way.isOver() || !wasStaleConnection(error)) throw error;
        answer = await way.send(exchange);
      }
      const location = this.redirectOf(answer);
      if (!location) return { answer, url };
      await way.discard(answer);
      if (hops + 1 >= MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
      if (!URL.canParse(location, url.href))
        throw new Error(`failed to parse Location header ${JSON.stringify(location)}`);
      url = new URL(location, url);
      if (answer.statusCode < 307 && method !== "GET" && method !== "HEAD") {
        method = "GET";
        body = undefined;
      }
    }
  }

  /** Where an answer has the client ask instead, empty if nowhere. */
  private redirectOf({ headers, statusCode }: Answer): string {
    const mayFollow = REDIRECTS.has(statusCode) && this.options.followRedirects !== false;
    return mayFollow ? ([headers["location"] ?? ""].flat()[0] ?? "") : "";
  }

  private proxyOf(url: URL, { unixSocketPath }: Pick<HttpRequest, "unixSocketPath">): URL | null {
    return unixSocketPath ? null : chooseProxy(this.options.proxy, url, this.environment);
  }

  private get hasSecrets(): boolean {
    const { headers, basicAuth, authorization } = this.options;
    const hasHeaders = headers !== undefined && Object.keys(headers).length > 0;
    return hasHeaders || Boolean(basicAuth ?? authorization ?? this.tokens);
  }

  private async addSecrets(
    headers: Record<string, string | string[]>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { options } = this;
    if (options.headers) {
      for (const [name, values] of Object.entries(await extraHeaders(options.headers))) {
        headers[name.toLowerCase()] = values;
      }
    }
    if (headers["authorization"] !== undefined) return;
    if (options.basicAuth) headers["authorization"] = await basicAuthHeader(options.basicAuth);
    else if (options.authorization)
      headers["authorization"] = await authorizationHeader(options.authorization);
    else if (this.tokens) headers["authorization"] = await this.tokens.authorizationHeader(signal);
  }

  private async dispatcherFor(
    { proxy, url }: Exchange,
    unixSocketPath: string | undefined,
  ): Promise<Dispatcher> {
    const { directDispatcher, proxyDispatcher, tunnelDispatcher } = (this.undici ??=
      await import("./dispatchers.ts"));
    const version = tlsFilesVersion(this.options.tls);
    if (version !== this.tlsVersion) {
      this.tlsVersion = version;
      for (const outdated of this.dispatchers.values()) void outdated.close().catch(() => {});
      this.dispatchers.clear();
    }
    const isTunnel = proxy !== null && goesByTunnel(url, proxy);
    const route = unixSocketPath
      ? `unix ${unixSocketPath}`
      : proxy
        ? isTunnel
          ? `tunnel ${proxy.href}`
          : "proxy"
        : "";
    let dispatcher = this.dispatchers.get(route);
    if (dispatcher === undefined) {
      dispatcher = proxy
        ? isTunnel
          ? tunnelDispatcher(this.options, proxy)
          : proxyDispatcher(this.options)
        : directDispatcher(this.options, unixSocketPath);
      this.dispatchers.set(route, dispatcher);
    }
    return dispatcher;
  }

  async close(): Promise<void> {
    const open = [...this.dispatchers.values()];
    this.dispatchers.clear();
    this.plain.close();
    await Promise.allSettled(open.map((dispatcher) => dispatcher.close()));
    await this.tokenClient?.close();
  }
}

/** TLS hides the request from a proxy, and SOCKS knows nothing of requests. */
function goesByTunnel(url: URL, proxy: URL): boolean {
  return url.protocol === "https:" || !proxy.protocol.startsWith("http");
}

function requestOptions({
  headers,
  method,
  proxy,
  url,
}: Exchange): Dispatcher.DispatchOptions & { path: string; method: Dispatcher.HttpMethod } {
  const path = url.pathname + url.search;
  const common = { method, headersTimeout: 0, bodyTimeout: 0 };
  if (proxy === null || goesByTunnel(url, proxy)) return { ...common, origin: url.origin, path, headers };
  const authorization = credentialsOf(proxy);
  return {
    ...common,
    origin: proxy.origin,
    path: url.origin + path,
    headers: {
      ...headers,
      host: url.host,
      ...(authorization === null ? {} : { "proxy-authorization": authorization }),
    },
  };
}

function plainHeaders(
  userAgent: string | undefined,
  asked: Readonly<Record<string, string>> | undefined,
  mayShowSecrets: boolean,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  if (userAgent) headers["user-agent"] = userAgent;
  for (const name in asked) {
    if (mayShowSecrets || !isSensitive(name)) headers[name.toLowerCase()] = asked[name]!;
  }
  return headers;
}

function addCredentialsOf(url: URL, headers: Record<string, string | string[]>): void {
  const ofUrl = credentialsOf(url);
  if (ofUrl !== null) headers["authorization"] ??= ofUrl;
}

function wholeResponse(answer: PlainAnswer): WholeResponse {
  const { statusCode, statusText, headers, chunks, sizeBytes, release } = answer;
  const statusLine = `${statusCode} ${statusText}`.trimEnd();
  return { status: statusCode, statusLine, headers, chunks, sizeBytes, release };
}

/** @param reason why it was given up, if it was */
function wholeFailure(address: URL, reason: string | null, error: unknown): Error {
  if (error instanceof AnswerTooLargeError) return error;
  if (error instanceof BrokenAnswerError) return bodyFailure(reason, error.cause);
  return failureOf("GET", address.href, reason, error);
}

function failureOf(method: string, address: string, reason: string | null, cause: unknown): HttpRequestError {
  const verb = method[0] + method.slice(1).toLowerCase();
  return new HttpRequestError(
    `${verb} ${JSON.stringify(urlWithoutPassword(address))}: ${reason ?? describeNetworkError(cause)}`,
    { cause, isTimeout: reason === DEADLINE_EXCEEDED },
  );
}

/** What went wrong after the answer had begun. */
function bodyFailure(reason: string | null, cause: unknown): HttpRequestError {
  const { code } = cause as { code?: string };
  const seen = code === "UND_ERR_SOCKET" ? "unexpected EOF" : describeNetworkError(cause);
  return new HttpRequestError(reason ?? seen, { cause, isTimeout: reason === DEADLINE_EXCEEDED });
}

function isSensitive(header: string): boolean {
  return ["authorization", "www-authenticate", "cookie", "cookie2"].includes(header.toLowerCase());
}

/** How a request is sent that needs more than a plain connection. */
interface WiderWay {
  /** The request where a plain connection is enough, else null. @throws Error for a header that can't be sent */
  plainText(): string | null;
  pointsElsewhere(answer: PlainAnswer): boolean;
  /** @param first what the plain connection brought, if it was tried */
  ask(startedMs: number, first: PlainAnswer | null): Promise<WholeResponse>;
}

/** Of all requests of a thread that go over plain connections. */
const deadlines = new Deadlines();

/** Goes over a plain connection as long as that does, without anything that is made anew each time. */
class RepeatedRequest implements PageRequest {
  /** Undefined before the first time. */
  private plain: PlainRequest | null | undefined;

  constructor(
    private readonly address: URL,
    private readonly request: WholeRequest,
    private readonly connections: PlainConnections,
    private readonly way: WiderWay,
  ) {}

  send(): Promise<WholeResponse> {
    const startedMs = performance.now();
    try {
      this.plain ??= this.plainRequest();
    } catch {
      // The wider way says what is wrong.
      this.plain = null;
    }
    const { plain } = this;
    if (plain === null || this.request.cancellation?.isCancelled) return this.way.ask(startedMs, null);
    return new Promise((resolve, reject) => this.sendPlain(plain, startedMs, resolve, reject));
  }

  private sendPlain(
    plain: PlainRequest,
    startedMs: number,
    resolve: (response: WholeResponse | Promise<WholeResponse>) => void,
    reject: (error: Error) => void,
  ): void {
    const { address, way } = this;
    const { cancellation, timeoutMs } = this.request;
    let reason: string | null = null;
    let exchange: PlainExchange | null = null;
    const giveUp = (why: string): void => {
      reason ??= why;
      exchange?.giveUp(new Error(why));
    };
    const deadline = { lastsMs: timeoutMs, atMs: 0, pass: () => giveUp(DEADLINE_EXCEEDED) };
    const over = (): void => {
      deadlines.remove(deadline);
      cancellation?.whenCancelled(null);
    };
    deadlines.add(deadline);
    cancellation?.whenCancelled(() => giveUp(CANCELED));
    exchange = this.connections.begin(plain, {
      answered(answer) {
        over();
        resolve(way.pointsElsewhere(answer) ? way.ask(startedMs, answer) : wholeResponse(answer));
      },
      failed(error) {
        over();
        reject(wholeFailure(address, reason, error));
      },
    });
  }

  private plainRequest(): PlainRequest | null {
    const text = this.way.plainText();
    return text === null ? null : plainRequest(this.address, text, this.request);
  }
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
        throw new HttpRequestError(
          `cannot read answer of ${urlWithoutPassword(this.url)}: more than ${limitBytes} bytes`,
        );
      }
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
  }

  private readError(cause: unknown): HttpRequestError {
    return bodyFailure(this.deadline.reason, cause);
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
    if (this.hasPassed) return DEADLINE_EXCEEDED;
    return this.callerSignal?.aborted ? CANCELED : null;
  }

  clear(): void {
    clearTimeout(this.timer);
    this.callerSignal?.removeEventListener("abort", this.onCallerAbort);
  }
}
