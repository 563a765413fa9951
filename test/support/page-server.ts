import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A target on loopback: serves `page`, or does what `answer` does, and remembers the requests. */
export class PageServer {
  page: string | Buffer = "";
  headers: Record<string, string> = { "content-type": "text/plain; version=0.0.4" };
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | null = null;
  readonly seen: IncomingMessage[] = [];
  private openRequests = 0;
  private readonly server = http.createServer((request, response) => {
    this.seen.push(request);
    this.openRequests++;
    response.once("close", () => this.openRequests--);
    if (this.answer) return this.answer(request, response);
    for (const [name, value] of Object.entries(this.headers)) response.setHeader(name, value);
    response.end(this.page);
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
