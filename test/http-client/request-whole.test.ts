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
  type PageClient,
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

function client(options: HttpClientOptions = {}): PageClient {
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

  test("is put where the caller says, and what it was put in comes back once, whatever happens", async () => {
    const memory = Buffer.alloc(1 << 20, "-");
    const { url } = await serve((request, response) => {
      const size = Number(request.url!.slice(1).split("?")[0]);
      const framing = request.url!.split("?")[1];
      response.writeHead(200, framing === "length" || framing === "cut" ? { "content-length": size } : {});
      if (framing === "cut") response.write("x".repeat(size / 2), () => request.socket.destroy());
      else if (framing === "slow") {
        for (let left = size; left > 0; left -= 9000) response.write("s".repeat(Math.min(left, 9000)));
        response.end();
      } else response.end(String(size % 10).repeat(size));
    });
    const one = client();
    for (const [path, size] of [
      ["/600000?length", 600_000],
      ["/5?length", 5],
      ["/300000?slow", 300_000],
      ["/0?length", 0],
    ] as const) {
      const out = new Set<Buffer>();
      let at = 0;
      const buffers = {
        take(sizeBytes: number) {
          const taken = memory.subarray(at, (at += sizeBytes));
          out.add(taken);
          return taken;
        },
        give: (buffer: Buffer) => expect(out.delete(buffer)).toBe(true),
      };
      const request = one.pageRequest(new URL(path, url), { limitBytes: 1 << 20, timeoutMs: 5000, buffers });
      for (let round = 0; round < 3; round++) {
        at = 0;
        const { chunks, release } = await request.send();
        const body = Buffer.concat(chunks);
        expect(body.length).toBe(size);
        expect(body.every((byte) => byte === body[0])).toBe(true);
        for (const chunk of chunks) expect(chunk.buffer).toBe(memory.buffer);
        release();
        expect(out.size).toBe(0);
      }
    }
    const out: Buffer[] = [];
    const buffers = {
      take: (sizeBytes: number) => (out.push(Buffer.alloc(sizeBytes)), out.at(-1)!),
      give: (buffer: Buffer) => expect(out.splice(out.indexOf(buffer), 1)).toEqual([buffer]),
    };
    await expect(get(one, new URL("/1000?cut", url), { buffers })).rejects.toThrow("unexpected EOF");
    expect(out).toEqual([]);
  });

  test("is asked for in the same words each time, and wherever the answers point by then", async () => {
    const seen: string[] = [];
    let moves = false;
    const { url, sockets } = await serve((request, response) => {
      seen.push(`${request.url} ${request.headers["x-a"]} ${request.headers.authorization}`);
      if (moves && request.url === "/metrics") response.writeHead(302, { location: "/new" }).end();
      else response.end("page");
    });
    url.username = "u";
    url.password = "p";
    const request = client().pageRequest(url, { headers: { "X-A": "1" }, limitBytes: 100, timeoutMs: 5000 });
    const secret = `Basic ${Buffer.from("u:p").toString("base64")}`;
    for (moves of [false, false, true, true, false]) {
      const { chunks, release, status } = await request.send();
      expect([status, Buffer.concat(chunks).toString()]).toEqual([200, "page"]);
      release();
    }
    const asked = (path: string, authorization = secret) => `${path} 1 ${authorization}`;
    expect(seen.map((line) => line.split(" ")[0])).toEqual([
      ...["/metrics", "/metrics", "/metrics", "/new", "/metrics", "/new", "/metrics"],
    ]);
    expect(seen.filter((line) => line.startsWith("/metrics"))).toEqual(Array(5).fill(asked("/metrics")));
    expect(sockets.size).toBe(1);
  });

  test("whose redirect goes on too long is given up by the time the first request was to end", async () => {
    const { url } = await serve((request, response) => {
      if (request.url === "/metrics") response.writeHead(302, { location: "/silent" }).end();
    });
    await expect(get(client(), url, { timeoutMs: 80 })).rejects.toMatchObject({
      message: `Get "${url.href}": context deadline exceeded`,
      isTimeout: true,
    });
  });

  test("leaves no connection open for longer than its server would", async () => {
    const closed: number[] = [];
    const server = createServer((socket) => {
      const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1, max=5\r\n\r\nok";
      socket.on("data", () => socket.write(answer)).on("close", () => closed.push(1));
      socket.on("error", () => undefined);
    });
    const url = new URL(`http://127.0.0.1:${await listen(server)}/`);
    const one = client();
    // A second less than the server's own second is no time at all.
    expect((await get(one, url)).body).toBe("ok");
    expect((await get(one, url)).body).toBe("ok");
    await expect.poll(() => closed.length).toBe(2);
  });

  test("of a server that keeps a connection for some seconds comes over another one after them", async () => {
    let connections = 0;
    let ended = 0;
    const server = createServer((socket) => {
      connections++;
      socket.on("data", () =>
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=4\r\n\r\nok"),
      );
      socket.on("end", () => ended++).on("error", () => undefined);
    });
    const url = new URL(`http://127.0.0.1:${await listen(server)}/`);
    const one = client();
    for (let i = 0; i < 3; i++) await get(one, url);
    expect(connections).toBe(1);
    await expect.poll(() => ended, { timeout: 20_000 }).toBe(1);
    expect((await get(one, url)).body).toBe("ok");
    expect(connections).toBe(2);
  }, 30_000);

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
