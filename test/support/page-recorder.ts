import { createServer, request as send, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A page as a target served it, not yet unzipped. */
interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const KEPT_HEADERS = ["content-type", "content-encoding"];

/**
 * An HTTP proxy that asks a target once and gives that same page, byte for byte, to everybody who asks for it, until
 * it is told to turn over. So two servers that scrape through it must come to store exactly the same.
 */
export class PageRecorder {
  private pages = new Map<string, Promise<Page>>();
  /** How often each asker, by its user agent, got each page since the last turn-over. */
  private served = new Map<string, Map<string, number>>();
  private readonly server = createServer((request, response) => void this.answer(request, response));

  private constructor(private accept: string) {}

  /** @param accept what targets are asked for, whatever the askers say */
  static async start(accept: string): Promise<PageRecorder> {
    const recorder = new PageRecorder(accept);
    await new Promise<void>((resolve) => recorder.server.listen(0, "127.0.0.1", resolve));
    return recorder;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Forgets all pages: the next who asks gets a new one. */
  turnOver(accept: string): void {
    this.accept = accept;
    this.pages = new Map();
    this.served = new Map();
  }

  /** Whether every page was given to each of so many askers at least `times` times. */
  hasServed(pageCount: number, askerCount: number, times: number): boolean {
    if (this.served.size < askerCount) return false;
    return [...this.served.values()].every(
      (counts) => counts.size === pageCount && [...counts.values()].every((count) => count >= times),
    );
  }

  /** The content type of each page that there is now, by its URL. */
  async contentTypes(): Promise<Map<string, string>> {
    const entries = [...this.pages].map(
      async ([url, page]) => [url, (await page).headers["content-type"] ?? ""] as const,
    );
    return new Map(await Promise.all(entries));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pages, served } = this;
    const url = request.url!;
    let page = pages.get(url);
    if (page === undefined) pages.set(url, (page = this.fetch(url, request)));
    try {
      const { body, headers, status } = await page;
      response.writeHead(status, headers).end(body);
      response.once("finish", () => {
        const asker = request.headers["user-agent"] ?? "";
        const counts = served.get(asker) ?? new Map<string, number>();
        counts.set(url, (counts.get(url) ?? 0) + 1);
        served.set(asker, counts);
      });
    } catch (error) {
      // Who asks again gets another chance.
      if (pages.get(url) === page) pages.delete(url);
      response.writeHead(502).end(String(error));
    }
  }

  private fetch(url: string, { headers }: IncomingMessage): Promise<Page> {
    return new Promise((resolve, reject) => {
      const timeout = headers["x-prometheus-scrape-timeout-seconds"] ?? "";
      const upstream = send(
        url,
        {
          headers: {
            accept: this.accept,
            "accept-encoding": "gzip",
            "x-prometheus-scrape-timeout-seconds": timeout,
          },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () => {
            const kept = KEPT_HEADERS.flatMap((name) => {
              const value = answer.headers[name];
              return typeof value === "string" ? [[name, value] as const] : [];
            });
            const headers = Object.fromEntries(kept);
            resolve({ status: answer.statusCode ?? 502, headers, body: Buffer.concat(chunks) });
          });
        },
      );
      upstream.on("error", reject);
      upstream.end();
    });
  }
}
