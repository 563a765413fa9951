import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Answer = (request: IncomingMessage, url: URL, response: ServerResponse) => void;

/** An HTTP server on a free port of the loopback, or on a unix socket, which notes every request. */
export class FakeServer {
  /** `GET /path?query`, in the order they came. */
  readonly requests: string[] = [];
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(answer: Answer, socketPath?: string): Promise<FakeServer> {
    const server = createServer((request, response) => {
      fake.requests.push(`${request.method} ${request.url}`);
      answer(request, new URL(request.url ?? "/", "http://fake"), response);
    });
    await new Promise<void>((resolve) =>
      socketPath === undefined ? server.listen(0, "127.0.0.1", resolve) : server.listen(socketPath, resolve),
    );
    const url = socketPath ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const fake = new FakeServer(server, url);
    return fake;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(200, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

/** Answers with a status and nothing more. */
export function sendStatus(response: ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}
