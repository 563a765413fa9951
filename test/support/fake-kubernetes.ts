import type { ServerResponse } from "node:http";
import type { KubernetesObject } from "../../src/discovery/kubernetes/objects.ts";
import { FakeServer, sendJson, sendStatus } from "./fake-server.ts";

type StoredObject = KubernetesObject & Readonly<Record<string, unknown>>;

interface Watcher {
  readonly path: string;
  readonly response: ServerResponse;
}

const GONE = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };

/**
 * The part of a Kubernetes API server that lists and watches: objects by the path of their list, versions that grow,
 * lists in pages, watches that go on from a version, bookmarks, and 410 for versions it no longer knows.
 */
export class FakeKubernetes {
  readonly headers: Record<string, unknown>[] = [];
  /** Versions below this are forgotten. */
  oldestVersion = 0;
  isFailing = false;
  /** Who comes without this token is sent away. */
  token: string | null = null;
  /** Continuations of lists are expired: their readers have to begin again. So often. */
  expiredContinuations = 0;
  /** A watch from a forgotten version hears so by the status of its answer, not by an event. */
  refusesOldWatches = false;
  /** Lists are held back until this is called. */
  private readonly heldLists: (() => void)[] = [];
  holdsLists = false;
  private readonly objects = new Map<string, Map<string, StoredObject>>();
  private readonly history: { version: number; path: string; type: string; object: StoredObject }[] = [];
  private readonly watchers = new Set<Watcher>();
  private version = 100;
  server!: FakeServer;

  async start(): Promise<void> {
    this.server = await FakeServer.start((request, url, response) => {
      this.headers.push(request.headers);
      if (this.isFailing) return sendStatus(response, 500);
      if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`)
        return sendStatus(response, 401);
      if (url.searchParams.get("watch") === "true") return this.watch(url, response);
      if (this.holdsLists) this.heldLists.push(() => this.list(url, response));
      else this.list(url, response);
    });
  }

  /** Answers the lists that were held back. */
  releaseLists(): void {
    this.holdsLists = false;
    for (const answer of this.heldLists.splice(0)) answer();
  }

  get watchCount(): number {
    return this.watchers.size;
  }

  /** Cuts the connections of all watches in the middle of an event. */
  cutWatches(): void {
    for (const { response } of this.watchers) {
      response.write('{"type":"MODIFIED","object":{"metadata":{"name":"ha');
      setTimeout(() => response.destroy(), 5);
    }
    this.watchers.clear();
  }

  /** Sends every watcher an error, as when something in the server goes wrong. */
  failWatches(code: number, message: string): void {
    for (const { response } of this.watchers) {
      send(response, "ERROR", { kind: "Status", code, message });
      response.end();
    }
    this.watchers.clear();
  }

  /** Creates or changes an object. `list` is such as `/api/v1/pods`. */
  put(list: string, object: KubernetesObject): void {
    const objects = this.of(list);
    const { name, namespace } = object.metadata;
    const key = `${namespace ?? ""}/${name}`;
    const isNew = !objects.has(key);
    const versioned = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++this.version) },
    };
    objects.set(key, versioned as StoredObject);
    this.tell(isNew ? "ADDED" : "MODIFIED", list, versioned as StoredObject);
  }

  delete(list: string, namespace: string | undefined, name: string): void {
    const key = `${namespace ?? ""}/${name}`;
    const object = this.of(list).get(key)!;
    this.of(list).delete(key);
    const metadata = { ...object.metadata, resourceVersion: String(++this.version) };
    this.tell("DELETED", list, { ...object, metadata });
  }

  /** Tells watchers the newest version without an object. */
  bookmark(): void {
    for (const { response } of this.watchers) {
      send(response, "BOOKMARK", { metadata: { resourceVersion: String(this.version) } });
    }
  }

  /** Forgets the past, and ends the watches: those who come back with an old version hear 410. */
  compact(): void {
    this.oldestVersion = ++this.version;
    this.endWatches();
  }

  endWatches(): void {
    for (const { response } of this.watchers) response.end();
    this.watchers.clear();
  }

  private of(list: string): Map<string, StoredObject> {
    let objects = this.objects.get(list);
    if (objects === undefined) this.objects.set(list, (objects = new Map()));
    return objects;
  }

  private tell(type: string, path: string, object: StoredObject): void {
    this.history.push({ version: this.version, path, type, object });
    for (const watcher of this.watchers) {
      if (matches(watcher.path, path, object)) send(watcher.response, type, object);
    }
  }

  private list(url: URL, response: ServerResponse): void {
    const found = [...this.objects].flatMap(([path, objects]) =>
      [...objects.values()].filter((object) => matches(url.pathname, path, object)),
    );
    // Pages of one object, whatever was asked for: the reader has to put them together.
    const position = Number(url.searchParams.get("continue") ?? "0");
    if (position > 0 && this.expiredContinuations > 0) {
      this.expiredContinuations--;
      return sendStatus(response, 410);
    }
    const next = position + 1 < found.length ? String(position + 1) : "";
    sendJson(response, {
      kind: "List",
      metadata: { resourceVersion: String(this.version), ...(next === "" ? {} : { continue: next }) },
      items: found.slice(position, position + 1),
    });
  }

  private watch(url: URL, response: ServerResponse): void {
    const from = Number(url.searchParams.get("resourceVersion"));
    if (from < this.oldestVersion && this.refusesOldWatches) return sendStatus(response, 410);
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (from < this.oldestVersion) {
      send(response, "ERROR", GONE);
      response.end();
      return;
    }
    for (const { object, path, type, version } of this.history) {
      if (version > from && matches(url.pathname, path, object)) send(response, type, object);
    }
    const watcher = { path: url.pathname, response };
    this.watchers.add(watcher);
    response.on("close", () => this.watchers.delete(watcher));
  }
}

/** Whether an object kept under a list belongs to what was asked: the list itself, or its part in a namespace. */
function matches(asked: string, list: string, { metadata }: KubernetesObject): boolean {
  if (asked === list) return true;
  const slash = list.lastIndexOf("/");
  return asked === `${list.slice(0, slash)}/namespaces/${metadata.namespace}${list.slice(slash)}`;
}

function send(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}
