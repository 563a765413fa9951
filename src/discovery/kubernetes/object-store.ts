import type { HttpClient, HttpResponse } from "../../http-client/index.ts";
import { MAX_ANSWER_BYTES } from "../http.ts";
import { queryString } from "../fetch-json.ts";
import type { DiscoverySurroundings } from "../mechanism.ts";
import type { ExecCredential } from "./exec-credential.ts";
import { objectKey, type KubernetesObject } from "./objects.ts";

/** One list of objects to follow. */
export interface ObjectListing {
  /** The full URL of the list. */
  readonly url: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

export type ObjectEvent = "add" | "update" | "delete";

/** Lists are asked for in pages of this many objects. */
const PAGE_SIZE = 500;
/** How long the server may keep a watch open. */
const WATCH_SECONDS = 300;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** What a list may take, and what a watch may take beyond its time: a peer that vanished without a word says nothing. */
const ANSWER_MARGIN_MS = 60_000;
/** A single event of a watch may be this long. */
const MAX_EVENT_BYTES = 16 << 20;

/**
 * The objects of one kind as the cluster has them: listed once, then kept up by watching for changes from there. When
 * the server no longer knows where we were, they are listed again, and what is gone in the meantime is deleted.
 */
export class ObjectStore<T extends KubernetesObject> {
  private readonly objects = new Map<string, T>();
  /** Which listing an object came from, so that a new list replaces only its own. */
  private readonly origins = new Map<string, ObjectListing>();

  constructor(
    private readonly client: HttpClient,
    private readonly surroundings: DiscoverySurroundings,
    private readonly credential: ExecCredential | null,
    private readonly onEvent: (event: ObjectEvent, key: string, object: T) => void,
  ) {}

  get(key: string): T | undefined {
    return this.objects.get(key);
  }

  entries(): IterableIterator<[string, T]> {
    return this.objects.entries();
  }

  /** Follows a list until the signal aborts; `onSynced` is called when it was read for the first time. */
  async follow(listing: ObjectListing, onSynced: () => void, signal: AbortSignal): Promise<void> {
    const { counters, log, sleep } = this.surroundings;
    let retryMs = FIRST_RETRY_MS;
    let version: string | null = null;
    while (!signal.aborted) {
      try {
        if (version === null) {
          version = await this.list(listing, signal);
          onSynced();
        }
        version = await this.watch(listing, version, signal);
        retryMs = FIRST_RETRY_MS;
      } catch (err) {
        if (signal.aborted) return;
        if (err instanceof GoneError) version = null;
        else {
          counters.add("kubernetes_failures_total");
          log.warn({ url: listing.url, err }, "Cannot follow Kubernetes objects");
        }
        await sleep(retryMs, signal);
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
      }
    }
  }

  private async list(listing: ObjectListing, signal: AbortSignal): Promise<string> {
    const seen = new Set<string>();
    let version = "";
    let next = "";
    do {
      const page = await this.listPage(listing, next, signal);
      for (const object of page.items ?? []) {
        seen.add(objectKey(object));
        this.put(object, listing);
      }
      version = page.metadata?.resourceVersion ?? "";
      next = page.metadata?.continue ?? "";
    } while (next !== "");
    for (const [key, origin] of this.origins) if (origin === listing && !seen.has(key)) this.remove(key);
    return version;
  }

  private async listPage(listing: ObjectListing, next: string, signal: AbortSignal): Promise<ListPage<T>> {
    const more: [string, string][] = [["limit", String(PAGE_SIZE)]];
    if (next !== "") more.push(["continue", next]);
    const response = await this.request(listing.url + this.query(listing, more), ANSWER_MARGIN_MS, signal);
    const body = await response.read(MAX_ANSWER_BYTES);
    if (response.status === 410) throw new GoneError();
    if (response.status !== 200) throw new Error(`server returned HTTP status ${response.statusLine}`);
    return JSON.parse(body.toString()) as ListPage<T>;
  }

  /** @returns the version to go on from once the server ends the watch */
  private async watch(listing: ObjectListing, from: string, signal: AbortSignal): Promise<string> {
    const url =
      listing.url +
      this.query(listing, [
        ["watch", "true"],
        ["allowWatchBookmarks", "true"],
        ["resourceVersion", from],
        ["timeoutSeconds", String(WATCH_SECONDS)],
      ]);
    const response = await this.request(url, WATCH_SECONDS * 1_000 + ANSWER_MARGIN_MS, signal);
    if (response.status !== 200) {
      response.body.destroy();
      if (response.status === 410) throw new GoneError();
      throw new Error(`server returned HTTP status ${response.statusLine}`);
    }
    let version = from;
    for await (const line of lines(response.chunks())) {
      const { object, type } = JSON.parse(line) as WatchEvent<T>;
      if (type === "ERROR") {
        const { code, message } = object as unknown as { code?: number; message?: string };
        if (code === 410) throw new GoneError();
        throw new Error(message ?? "the server ended the watch with an error");
      }
      version = object.metadata.resourceVersion ?? version;
      if (type === "DELETED") this.remove(objectKey(object));
      else if (type === "ADDED" || type === "MODIFIED") this.put(object, listing);
    }
    return version;
  }

  private async request(url: string, timeoutMs: number, signal: AbortSignal): Promise<HttpResponse> {
    const { counters, elapsedMs } = this.surroundings;
    const startedMs = elapsedMs();
    let status = "<error>";
    try {
      const token = await this.credential?.token();
      const headers = token === undefined ? JSON_ONLY : { ...JSON_ONLY, authorization: `Bearer ${token}` };
      const response = await this.client.request(url, { signal, timeoutMs, headers });
      status = String(response.status);
      if (response.status === 401) this.credential?.refused();
      return response;
    } finally {
      const endpoint = { endpoint: new URL(url).pathname };
      counters.add("kubernetes_http_request_total", { status_code: status });
      counters.addDuration("kubernetes_http_request_duration_seconds", endpoint, startedMs, elapsedMs());
    }
  }

  private query({ fieldSelector, labelSelector }: ObjectListing, more: readonly [string, string][]): string {
    const selectors: [string, string][] = [
      ["labelSelector", labelSelector],
      ["fieldSelector", fieldSelector],
    ];
    return queryString([...selectors.filter(([, value]) => value !== ""), ...more]);
  }

  private put(object: T, listing: ObjectListing): void {
    const key = objectKey(object);
    const before = this.objects.get(key);
    this.objects.set(key, object);
    this.origins.set(key, listing);
    const version = object.metadata.resourceVersion;
    if (before !== undefined && version !== undefined && before.metadata.resourceVersion === version) return;
    this.onEvent(before === undefined ? "add" : "update", key, object);
  }

  private remove(key: string): void {
    const object = this.objects.get(key);
    if (object === undefined) return;
    this.objects.delete(key);
    this.origins.delete(key);
    this.onEvent("delete", key, object);
  }
}

interface ListPage<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[] | null;
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

const JSON_ONLY = { accept: "application/json" };

/** The version we wanted to go on from is forgotten: list anew. */
class GoneError extends Error {}

async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([rest, chunk.subarray(start, end)]).toString();
      rest = Buffer.alloc(0);
      start = end + 1;
      if (line.trim() !== "") yield line;
    }
    rest = Buffer.concat([rest, chunk.subarray(start)]);
    if (rest.length > MAX_EVENT_BYTES)
      throw new Error(`an event of the watch is longer than ${MAX_EVENT_BYTES} bytes`);
  }
}
