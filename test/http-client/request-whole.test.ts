import http, { type RequestListener, type Server } from "node:http";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  AnswerTooLargeError,
  Cancellation,
  createHttpClient,
  type HttpClient,
  type HttpClientOptions,
  type WholeRequest,
} from "../../src/http-client/index.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(
  server: Server | ReturnType<typeof createServer>,
  where: number | string = 0,
): Promise<number> {
  await new Promise<void>((resolve) =>
    typeof where === "string" ? server.listen(where, resolve) : server.listen(where, "127.0.0.1", resolve),
  );
  closing.push(() => {
    if ("closeAllConnections" in server) server.closeAllConnections();
    server.close();
  });
  return typeof where === "string" ? 0 : (server.address() as AddressInfo).port;
}

async function serve(answer: RequestListener): Promise<{ url: URL; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = http.createServer(answer).on("connection", (socket: Socket) => sockets.add(socket));
  return { url: new URL(`http://127.0.0.1:${await listen(server)}/metrics`), sockets };
}

function client(options: HttpClientOptions = {}): HttpClient {
  const made = createHttpClient(options, { environment: {} });
  closing.push(() => made.close());
  return made;
}

async function get(from: HttpClient, url: URL, request: Partial<WholeRequest> = {}) {
  const answer = await from.requestWhole(url, { limitBytes: 1 << 20, timeoutMs: 5000, ...request });
  const body = Buffer.concat(answer.chunks).toString();
  answer.release();
  return { status: answer.status, statusLine: answer.statusLine, body };
}

describe("a page", () => {
  test("comes over one connection again and again, with the headers that were asked for", async () => {
    const { url, sockets } = await serve((request, response) =>
      response.end(
        `${request.url} ${request.headers["user-agent"]} ${request.headers["x-a"]} ${request.headers.host}`,
      ),
    );
    const one = client({ userAgent: "test/1" });
    url.search = "?a=b";
    for (let i = 0; i < 5; i++) {
      expect((await get(one, url, { headers: { "X-A": `v${i}` } })).body).toBe(
        `/metrics?a=b test/1 v${i} ${url.host}`,
      );
    }
    expect(sockets.size).toBe(1);
  });

  test("of many at once comes whole for each", async () => {
    const { url } = await serve((request, response) => {
      const size = Number(request.url!.slice(1));
      response.writeHead(200, size % 2 ? { "content-length": size } : {});
      for (let left = size; left > 0; left -= 7000)
        response.write(String(size % 10).repeat(Math.min(left, 7000)));
      response.end();
    });
    const one = client();
    const sizes = Array.from({ length: 40 }, (_, i) => 1 + i * 4001);
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(sizes.map((size) => get(one, new URL(`/${size}`, url))));
      expect(answers.map(({ body }) => body)).toEqual(sizes.map((size) => String(size % 10).repeat(size)));
    }
  });

  test("is asked for again when the server had closed the kept connection, but only then", async () => {
    let requests = 0;
    const { url, sockets } = await serve((_, response) => {
      requests++;
      response.end("ok");
    });
    const one = client();
    await get(one, url);
    for (const socket of sockets) socket.destroy();
    expect((await get(one, url)).body).toBe("ok");
    expect(requests).toBe(2);
    const raw = createServer((socket) => {
      requests++;
      socket.on("data", () => socket.destroy());
    });
    const dead = new URL(`http://127.0.0.1:${await listen(raw)}/`);
    await expect(get(one, dead)).rejects.toThrow(/^Get "http:.*": (EOF|read: connection reset by peer)$/);
    expect(requests).toBe(3);
  });

  test("that takes too long, or is called off, ends at once", async () => {
    const { url } = await serve((request, response) => {
      if (request.url === "/begun") response.write("first");
    });
    const one = client();
    await expect(get(one, url, { timeoutMs: 50 })).rejects.toMatchObject({
      message: `Get "${url.href}": context deadline exceeded`,
      isTimeout: true,
    });
    await expect(get(one, new URL("/begun", url), { timeoutMs: 50 })).rejects.toMatchObject({
      message: "context deadline exceeded",
      isTimeout: true,
    });
    const cancellation = new Cancellation();
    setTimeout(() => cancellation.cancel(), 30);
    await expect(get(one, url, { cancellation })).rejects.toThrow("context canceled");
    await expect(get(one, url, { cancellation })).rejects.toThrow("context canceled");
  });

  test("that is too large, cut short or nowhere to be had says so", async () => {
    const { url } = await serve((request, response) => {
      if (request.url === "/long") response.end("x".repeat(2000));
      else {
        response.writeHead(200, { "content-length": 100 }).write("abc");
        setTimeout(() => request.socket.destroy(), 10);
      }
    });
    const one = client();
    await expect(get(one, new URL("/long", url), { limitBytes: 2000 })).rejects.toBeInstanceOf(
      AnswerTooLargeError,
    );
    expect((await get(one, new URL("/long", url), { limitBytes: 2001 })).body).toHaveLength(2000);
    await expect(get(one, new URL("/cut", url))).rejects.toThrow(/^unexpected EOF$/);
    const closed = createServer();
    const port = await listen(closed);
    await new Promise((resolve) => closed.close(resolve));
    await expect(get(one, new URL(`http://127.0.0.1:${port}/`))).rejects.toThrow(
      `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
  });

  test("behind redirects is found, and secrets stay with the first host", async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end("there");
    });
    const { url } = await serve((request, response) => {
      seen.push(request.headers.authorization);
      if (request.url === "/metrics") response.writeHead(302, { location: "/second" }).end("moved");
      else response.writeHead(307, { location: other.url.href }).end();
    });
    expect((await get(client({ basicAuth: { username: "u", password: "p" } }), url)).body).toBe("there");
    const secret = `Basic ${Buffer.from("u:p").toString("base64")}`;
    expect(seen).toEqual([secret, secret, undefined]);
    expect(await get(client({ followRedirects: false }), url)).toMatchObject({
      status: 302,
      statusLine: "302 Found",
      body: "",
    });
  });

  test("comes through a unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "narthex-unix-"));
    closing.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "socket");
    await listen(
      http.createServer((request, response) => response.end(request.headers.host)),
      path,
    );
    expect((await get(client(), new URL("http://exporter/metrics"), { unixSocketPath: path })).body).toBe(
      "exporter",
    );
  });

  test("is not asked for with a header that holds a line of its own", async () => {
    const { url } = await serve((_, response) => response.end("ok"));
    await expect(get(client(), url, { headers: { "x-a": "1\r\nX-B: 2" } })).rejects.toThrow(
      "Invalid character in header content",
    );
  });

  test("of a server that sends what nobody asked for is the last on its connection", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.on("data", () =>
        socket.write(
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
        ),
      );
      socket.on("error", () => undefined);
    });
    const url = new URL(`http://127.0.0.1:${await listen(server)}/`);
    const one = client();
    for (let i = 0; i < 3; i++) expect((await get(one, url)).body).toBe("ok");
    expect(connections).toBe(3);
  });
});
