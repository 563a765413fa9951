import { execFileSync } from "node:child_process";
import { generateKeyPairSync, createVerify } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http, { type IncomingMessage, type RequestListener, type Server } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createHttpClient, HttpRequestError, type HttpClientOptions } from "../../src/http-client/index.ts";
import { SocksProxy } from "../support/socks-proxy.ts";

const directory = mkdtempSync(join(tmpdir(), "http-client-"));
const servers: { close(): unknown; closeAllConnections?(): void }[] = [];
const clients: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

async function listen(server: Server | https.Server | http2.Http2SecureServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** A server that remembers what it was asked and says `ok`, unless `answer` does otherwise. */
async function recordingServer(
  answer?: RequestListener,
): Promise<{ url: string; port: number; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const port = await listen(
    http.createServer((request, response) => {
      seen.push(request);
      if (answer) answer(request, response);
      else response.end("ok");
    }),
  );
  return { url: `http://127.0.0.1:${port}`, port, seen };
}

function client(options: HttpClientOptions = {}, environment: Record<string, string> = {}) {
  const made = createHttpClient(options, { environment });
  clients.push(made);
  return made;
}

async function get(options: HttpClientOptions, url: string, environment: Record<string, string> = {}) {
  const response = await client(options, environment).request(url);
  return { status: response.status, body: (await response.read(1 << 20)).toString() };
}

describe("authentication", () => {
  test("sends basic credentials", async () => {
    const { url, seen } = await recordingServer();
    await get({ basicAuth: { username: "bob", password: "pa ss" } }, url);
    expect(seen[0]!.headers.authorization).toBe(`Basic ${Buffer.from("bob:pa ss").toString("base64")}`);
  });

  test("reads secret files anew for every request, trimmed", async () => {
    const { url, seen } = await recordingServer();
    const file = join(directory, "token");
    const made = client({ authorization: { credentialsFile: file } });
    for (const token of ["one\n", "two"]) {
      writeFileSync(file, token);
      await (await made.request(url)).read(100);
    }
    expect(seen.map((request) => request.headers.authorization)).toEqual(["Bearer one", "Bearer two"]);
  });

  test("fails, naming the file, when a secret cannot be read", async () => {
    const { url, seen } = await recordingServer();
    const request = get({ basicAuth: { username: "u", passwordFile: join(directory, "absent") } }, url);
    await expect(request).rejects.toThrow(
      /unable to read basic auth password file .*absent: open .*no such file/,
    );
    expect(seen).toEqual([]);
  });

  test("sends configured headers from values, secrets and files", async () => {
    const { url, seen } = await recordingServer();
    writeFileSync(join(directory, "header"), "third\n");
    const headers = {
      "X-Mine": { values: ["first"], secrets: ["second"], files: [join(directory, "header")] },
    };
    await get({ headers }, url);
    expect(seen[0]!.headers["x-mine"]).toBe("first, second, third");
  });
});

describe("oauth2", () => {
  test("a token server that never answers holds up no request beyond its deadline, nor the next one's", async () => {
    let isSilent = true;
    const server = await recordingServer((_request, response) => {
      if (isSilent) return;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ access_token: "t" }));
    });
    const target = await recordingServer();
    const made = client({ oauth2: { clientId: "id", tokenUrl: server.url } });
    const url = new URL(target.url);
    const whole = { limitBytes: 1000, timeoutMs: 50 };
    await expect(made.requestWhole(url, whole)).rejects.toThrow("context deadline exceeded");
    await expect(made.request(target.url, { timeoutMs: 50 })).rejects.toThrow("context deadline exceeded");
    expect(target.seen).toHaveLength(0);
    isSilent = false;
    const other = client({ oauth2: { clientId: "id", tokenUrl: server.url } });
    expect((await other.requestWhole(url, { ...whole, timeoutMs: 10_000 })).status).toBe(200);
  });

  test("fetches a token with id and secret and uses it until it ends", async () => {
    let nowMs = 1_000_000;
    let tokens = 0;
    const forms: string[] = [];
    const server = await recordingServer((request, response) => {
      let form = "";
      request.on("data", (chunk) => (form += chunk));
      request.on("end", () => {
        forms.push(form);
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ access_token: `t${++tokens}`, token_type: "bearer", expires_in: 60 }));
      });
    });
    const target = await recordingServer();
    const oauth2 = {
      clientId: "id",
      clientSecret: "s3",
      tokenUrl: server.url,
      scopes: ["a", "b"],
      endpointParams: { audience: "x" },
    };
    const made = createHttpClient({ oauth2 }, { environment: {}, now: () => nowMs });
    clients.push(made);
    for (const step of [0, 45_000, 10_000]) {
      nowMs += step;
      await (await made.request(target.url)).read(100);
    }
    expect(target.seen.map((request) => request.headers.authorization)).toEqual([
      "Bearer t1",
      "Bearer t1",
      "Bearer t2",
    ]);
    expect(server.seen[0]!.headers.authorization).toBe(`Basic ${Buffer.from("id:s3").toString("base64")}`);
    expect(Object.fromEntries(new URLSearchParams(forms[0]))).toEqual({
      grant_type: "client_credentials",
      scope: "a b",
      audience: "x",
    });
  });

  test("puts id and secret in the form for servers that refuse them in the header", async () => {
    const server = await recordingServer((request, response) => {
      let form = "";
      request.on("data", (chunk) => (form += chunk));
      request.on("end", () => {
        const isWelcome = new URLSearchParams(form).get("client_secret") === "s3";
        response.statusCode = isWelcome ? 200 : 401;
        response.end(isWelcome ? JSON.stringify({ access_token: "t" }) : "no");
      });
    });
    const target = await recordingServer();
    await get({ oauth2: { clientId: "id", clientSecret: "s3", tokenUrl: server.url } }, target.url);
    expect(target.seen[0]!.headers.authorization).toBe("Bearer t");
  });

  test("signs a JWT that the server can verify", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    let assertion = "";
    const server = await recordingServer((request, response) => {
      let form = "";
      request.on("data", (chunk) => (form += chunk));
      request.on("end", () => {
        assertion = new URLSearchParams(form).get("assertion") ?? "";
        response.end(JSON.stringify({ access_token: "j" }));
      });
    });
    const target = await recordingServer();
    const oauth2 = {
      clientId: "me",
      grantType: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      clientCertificateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      clientCertificateKeyId: "k1",
      signatureAlgorithm: "RS384",
      claims: { extra: 1 },
      tokenUrl: server.url,
    };
    await get({ oauth2 }, target.url);
    const [header, claims, signature] = assertion.split(".");
    const decode = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(decode(header!)).toEqual({ alg: "RS384", typ: "JWT", kid: "k1" });
    expect(decode(claims!)).toMatchObject({ iss: "me", sub: "me", aud: server.url, extra: 1 });
    const isGenuine = createVerify("RSA-SHA384")
      .update(`${header}.${claims}`)
      .verify(publicKey, signature!, "base64url");
    expect(isGenuine).toBe(true);
    expect(target.seen[0]!.headers.authorization).toBe("Bearer j");
  });

  test("fails with the server's answer when there is no token", async () => {
    const server = await recordingServer((_request, response) => {
      response.statusCode = 403;
      response.end("go away");
    });
    const request = get({ oauth2: { clientId: "id", tokenUrl: server.url } }, server.url);
    await expect(request).rejects.toThrow("oauth2: cannot fetch token: 403 Forbidden\nResponse: go away");
  });
});

describe("redirects", () => {
  test("are followed with credentials on the same host only", async () => {
    const other = await recordingServer();
    const first = await recordingServer((request, response) => {
      const location = request.url === "/" ? "/again" : `${other.url}/elsewhere`;
      response.writeHead(302, { location }).end();
    });
    const options = {
      basicAuth: { username: "u", password: "p" },
      headers: { "X-Secret": { secrets: ["s"] } },
    };
    expect((await get(options, first.url)).body).toBe("ok");
    expect(first.seen.map((request) => request.headers.authorization !== undefined)).toEqual([true, true]);
    expect(other.seen[0]!.url).toBe("/elsewhere");
    expect(other.seen[0]!.headers.authorization).toBeUndefined();
    expect(other.seen[0]!.headers["x-secret"]).toBeUndefined();
  });

  test("are the result when they are not to be followed", async () => {
    const { url } = await recordingServer((_request, response) =>
      response.writeHead(302, { location: "/x" }).end(),
    );
    expect((await get({ followRedirects: false }, url)).status).toBe(302);
  });

  test("go where the first of several says, and nowhere without a place", async () => {
    const { url } = await recordingServer((request, response) => {
      const location = { "/twice": ["/end", "/other"], "/empty": "", "/bad": "http://[::bad/" }[request.url!];
      if (location === undefined) response.end(request.url);
      else {
        response.setHeader("location", location);
        response.writeHead(302).end();
      }
    });
    expect((await get({}, new URL("/twice", url).href)).body).toBe("/end");
    expect((await get({}, new URL("/empty", url).href)).status).toBe(302);
    await expect(get({}, new URL("/bad", url).href)).rejects.toThrow(
      'failed to parse Location header "http://[::bad/"',
    );
  });

  test("end after ten", async () => {
    const { url, seen } = await recordingServer((_request, response) =>
      response.writeHead(302, { location: "/" }).end(),
    );
    await expect(get({}, url)).rejects.toThrow(`Get "${url}": stopped after 10 redirects`);
    expect(seen.length).toBe(10);
  });
});

describe("failures say what an operator can act on", () => {
  test("a refused connection", async () => {
    const { url, port } = await recordingServer();
    for (const server of servers.splice(0)) server.close();
    await expect(get({}, url)).rejects.toThrow(
      `Get "${url}": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
  });

  test("but never a password", async () => {
    const { port } = await recordingServer();
    for (const server of servers.splice(0)) server.close();
    const url = `http://me:pass%40word@127.0.0.1:${port}/x?y=a:b@c`;
    const shown = `Get "http://me:***@127.0.0.1:${port}/x?y=a:b@c": dial tcp`;
    await expect(get({}, url)).rejects.toThrow(shown);
    const whole = client().requestWhole(new URL(url), { limitBytes: 9, timeoutMs: 5000 });
    await expect(whole).rejects.toThrow(shown);
    await expect(get({ proxy: { url: "http://me:secret@[bad" } }, "http://a/")).rejects.toThrow(
      'invalid proxy address "http://me:***@[bad"',
    );
  });

  test("a deadline, before and within the body", async () => {
    const silent = await recordingServer(() => {});
    const request = client().request(silent.url, { timeoutMs: 50 });
    await expect(request).rejects.toThrow(`Get "${silent.url}": context deadline exceeded`);
    await expect(request).rejects.toMatchObject({ isTimeout: true });

    const stalling = await recordingServer((_request, response) => response.write("half"));
    const response = await client().request(stalling.url, { timeoutMs: 50 });
    await expect(response.read(100)).rejects.toThrow("context deadline exceeded");
  });

  test("a body cut short", async () => {
    const { url } = await recordingServer((request, response) => {
      response.setHeader("content-length", 100);
      response.write("half");
      setTimeout(() => request.socket.destroy(), 20);
    });
    const response = await client().request(url);
    await expect(response.read(100)).rejects.toThrow("unexpected EOF");
  });

  test("a body longer than the caller takes", async () => {
    const { url } = await recordingServer((_request, response) => response.end("x".repeat(1000)));
    const response = await client().request(url);
    await expect(response.read(999)).rejects.toThrow(HttpRequestError);
  });
});

test("the status line carries the server's own reason", async () => {
  const { url } = await recordingServer((_request, response) => response.writeHead(503, "Not Now").end());
  const response = await client().request(url);
  expect(response.statusLine).toBe("503 Not Now");
  await response.read(10);
});

test("a server that closed a kept-alive connection is asked again on a new one", async () => {
  let count = 0;
  const { url } = await recordingServer((request, response) => {
    count++;
    if (count === 2) request.socket.destroy();
    else response.end(String(count));
  });
  const made = client();
  await (await made.request(url)).read(10);
  await new Promise((resolve) => setTimeout(resolve, 20)); // until the connection is idle
  expect((await (await made.request(url)).read(10)).toString()).toBe("3");
});

test("a unix socket can stand for the host", async () => {
  const path = join(directory, "socket");
  const server = http.createServer((request, response) => response.end(request.headers.host));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const response = await client().request("http://localhost/metrics", { unixSocketPath: path });
  expect((await response.read(100)).toString()).toBe("localhost");
});

describe("proxies", () => {
  /** Takes absolute URLs and CONNECT, and remembers both. */
  async function recordingProxy(): Promise<{
    url: string;
    asked: string[];
    headers: http.IncomingHttpHeaders[];
  }> {
    const asked: string[] = [];
    const headers: http.IncomingHttpHeaders[] = [];
    const server = http.createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      headers.push(request.headers);
      response.end("by proxy");
    });
    server.on("connect", (request, socket) => {
      asked.push(`CONNECT ${request.url}`);
      headers.push(request.headers);
      const [host, port] = request.url!.split(":");
      const upstream = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.pipe(socket).pipe(upstream);
      });
      for (const end of [upstream, socket]) end.on("error", () => {});
    });
    return { url: `http://127.0.0.1:${await listen(server)}`, asked, headers };
  }

  test("get plain requests with the whole URL", async () => {
    const proxy = await recordingProxy();
    const answer = await get(
      { proxy: { url: proxy.url.replace("//", "//me:secret@") } },
      "http://target.invalid:99/x?y=1",
    );
    expect(answer.body).toBe("by proxy");
    expect(proxy.asked).toEqual(["GET http://target.invalid:99/x?y=1"]);
    expect(proxy.headers[0]!["proxy-authorization"]).toBe(
      `Basic ${Buffer.from("me:secret").toString("base64")}`,
    );
    expect(proxy.headers[0]!.host).toBe("target.invalid:99");
  });

  test("are not used for hosts in no_proxy", async () => {
    const proxy = await recordingProxy();
    const target = await recordingServer();
    expect((await get({ proxy: { url: proxy.url } }, target.url)).body).toBe("by proxy");
    expect((await get({ proxy: { url: proxy.url, noProxy: "127.0.0.0/8" } }, target.url)).body).toBe("ok");
  });

  test("come from the environment when asked to", async () => {
    const proxy = await recordingProxy();
    // What is set to nothing is not set.
    const environment = { HTTP_PROXY: "", http_proxy: proxy.url, NO_PROXY: ".inside.invalid" };
    expect((await get({ proxy: { fromEnvironment: true } }, "http://out.invalid/", environment)).body).toBe(
      "by proxy",
    );
    await expect(
      get({ proxy: { fromEnvironment: true } }, "http://a.inside.invalid/", environment),
    ).rejects.toThrow();
    expect(proxy.asked).toEqual(["GET http://out.invalid/"]);
  });

  test("may be spoken to by TLS, each by its own name", async () => {
    const seen: (string | undefined)[] = [];
    const proxy = https.createServer(
      { key: pem("server.key"), cert: pem("server.crt") },
      (request, response) => {
        seen.push(request.url);
        response.end("by proxy");
      },
    );
    const url = `https://127.0.0.1:${await listen(proxy)}`;
    const answer = await get({ proxy: { url }, tls: { ca: pem("ca.crt") } }, "http://target.invalid/x");
    expect(answer.body).toBe("by proxy");
    expect(seen).toEqual(["http://target.invalid/x"]);
  });

  test.each(["http", "https"])("that close or refuse a tunnel (%s) fail the request once", async (scheme) => {
    let asked = 0;
    let refusal = "";
    const proxy: Server =
      scheme === "https"
        ? https.createServer({ key: pem("server.key"), cert: pem("server.crt") })
        : http.createServer();
    proxy.on("connect", (_request, socket) => {
      asked++;
      socket.on("error", () => {});
      socket.end(refusal);
    });
    const url = `${scheme}://127.0.0.1:${await listen(proxy)}`;
    const made = client({ proxy: { url }, tls: { ca: pem("ca.crt") } });
    const far = "https://target.invalid/";
    await expect(made.request(far, { timeoutMs: 5000 })).rejects.toThrow("the proxy closed the connection");
    refusal = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    await expect(made.request(far, { timeoutMs: 5000 })).rejects.toThrow("Proxy Authentication Required");
    refusal = "SSH-2.0-OpenSSH\r\n\r\n";
    await expect(made.request(far, { timeoutMs: 5000 })).rejects.toThrow("malformed HTTP response");
    expect(asked).toBe(3);
    await expect(get({ proxy: { url: "ftp://127.0.0.1" } }, far)).rejects.toThrow(
      'unsupported proxy scheme "ftp"',
    );
  });

  test("of SOCKS look up hosts themselves and carry plain requests and TLS", async () => {
    const target = await recordingServer((request, response) => response.end(request.headers.host));
    const secure = await listen(
      https.createServer({ key: pem("server.key"), cert: pem("server.crt") }, (_request, response) =>
        response.end("safe"),
      ),
    );
    for (const login of ["", "me:se%20cret"]) {
      const proxy = await SocksProxy.start(login === "" ? null : ["me", "se cret"]);
      servers.push(proxy);
      const url = `socks5://${login === "" ? "" : `${login}@`}127.0.0.1:${proxy.port}`;
      const options = { proxy: { url }, tls: { ca: pem("ca.crt"), serverName: "good.name" } };
      const plain = await get(options, `http://somewhere.invalid:${target.port}/`);
      expect(plain.body).toBe(`somewhere.invalid:${target.port}`);
      expect((await get(options, `https://[2001:db8::1:0]:${secure}/`)).body).toBe("safe");
      expect((await get(options, `https://192.0.2.7:${secure}/`)).body).toBe("safe");
      expect(proxy.asked).toEqual([
        `somewhere.invalid:${target.port}`,
        `2001:db8:0:0:0:0:1:0:${secure}`,
        `192.0.2.7:${secure}`,
      ]);
      proxy.reply = 2;
      await expect(get(options, "http://a.invalid/")).rejects.toThrow(
        "socks: connection not allowed by ruleset",
      );
    }
    const proxy = await SocksProxy.start(["me", "x"]);
    servers.push(proxy);
    const ask = (login: string) =>
      get({ proxy: { url: `socks5://${login}127.0.0.1:${proxy.port}` } }, target.url);
    await expect(ask("")).rejects.toThrow("socks: no acceptable authentication methods");
    await expect(ask("me:y@")).rejects.toThrow("socks: username/password authentication failed");
  });

  test("tunnel TLS, with the headers meant for CONNECT", async () => {
    const proxy = await recordingProxy();
    const port = await listen(
      https.createServer({ key: pem("server.key"), cert: pem("server.crt") }, (request, response) =>
        response.end(String(request.headers["x-connect"])),
      ),
    );
    const answer = await get(
      {
        proxy: { url: proxy.url, connectHeaders: { "X-Connect": ["yes"] } },
        tls: { caFile: join(directory, "ca.crt") },
        enableHttp2: false,
      },
      `https://127.0.0.1:${port}/`,
    );
    expect(answer.body).toBe("undefined");
    expect(proxy.asked).toEqual([`CONNECT 127.0.0.1:${port}`]);
    expect(proxy.headers[0]!["x-connect"]).toBe("yes");
  });
});

const pem = (name: string): string => readFileSync(join(directory, name), "utf8");

beforeAll(() => {
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
  };
  const request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj"];
  openssl(...request, "/CN=ca", "-x509", "-days", "30", "-keyout", "ca.key", "-out", "ca.crt");
  openssl(...request, "/CN=other", "-x509", "-days", "30", "-keyout", "other.key", "-out", "other.crt");
  writeFileSync(join(directory, "san"), "subjectAltName=IP:127.0.0.1,DNS:good.name\n");
  writeFileSync(join(directory, "star-san"), "subjectAltName=DNS:*.local\n");
  for (const name of ["server", "client", "star"]) {
    openssl(...request, `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    const sign = [
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
    ];
    const names = name === "star" ? "star-san" : "san";
    openssl(...sign, "-days", "30", "-extfile", names, "-out", `${name}.crt`);
  }
});

describe("TLS", () => {
  const secureServer = (extra: https.ServerOptions = {}): Promise<number> =>
    listen(
      https.createServer(
        { key: pem("server.key"), cert: pem("server.crt"), ...extra },
        (_request, response) => response.end("ok"),
      ),
    );

  test("trusts the configured authority and no other", async () => {
    const port = await secureServer();
    const url = `https://127.0.0.1:${port}/`;
    expect((await get({ tls: { ca: pem("ca.crt") } }, url)).body).toBe("ok");
    expect((await get({ tls: { insecureSkipVerify: true } }, url)).body).toBe("ok");
    await expect(get({ tls: { ca: pem("other.crt") } }, url)).rejects.toThrow(
      "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    );
  });

  test("checks the name that is configured", async () => {
    const url = `https://127.0.0.1:${await secureServer()}/`;
    const tls = { caFile: join(directory, "ca.crt") };
    expect((await get({ tls: { ...tls, serverName: "good.name" } }, url)).body).toBe("ok");
    await expect(get({ tls: { ...tls, serverName: "bad.name" } }, url)).rejects.toThrow("x509");
  });

  test("shows a client certificate", async () => {
    const port = await secureServer({ requestCert: true, rejectUnauthorized: true, ca: pem("ca.crt") });
    const url = `https://127.0.0.1:${port}/`;
    const tls = { caFile: join(directory, "ca.crt") };
    const certified = {
      ...tls,
      certFile: join(directory, "client.crt"),
      keyFile: join(directory, "client.key"),
    };
    expect((await get({ tls: certified }, url)).body).toBe("ok");
    await expect(get({ tls }, url)).rejects.toThrow(HttpRequestError);
  });

  test("keeps to the versions allowed", async () => {
    const url = `https://127.0.0.1:${await secureServer({ maxVersion: "TLSv1.2" })}/`;
    const tls = { caFile: join(directory, "ca.crt") };
    expect((await get({ tls: { ...tls, maxVersion: "TLS12" } }, url)).body).toBe("ok");
    await expect(get({ tls: { ...tls, minVersion: "TLS13" } }, url)).rejects.toThrow(HttpRequestError);
  });

  test("of old is spoken where that is asked for", async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    const url = `https://127.0.0.1:${await secureServer(old)}/`;
    const ca = pem("ca.crt");
    expect((await get({ tls: { ca, minVersion: "TLS10" } }, url)).body).toBe("ok");
    await expect(get({ tls: { ca } }, url)).rejects.toThrow(/remote error: tls: protocol version$/);
    const current = `https://127.0.0.1:${await secureServer({ minVersion: "TLSv1.3" })}/`;
    expect((await get({ tls: { ca, minVersion: "TLS10" } }, current)).body).toBe("ok");
  });

  test("finds an address or a short name with a star in the certificate", async () => {
    const ca = pem("ca.crt");
    const port = await secureServer();
    expect((await get({ tls: { ca, serverName: "127.0.0.1" } }, `https://localhost:${port}/`)).body).toBe(
      "ok",
    );
    await expect(get({ tls: { ca, serverName: "127.0.0.2" } }, `https://localhost:${port}/`)).rejects.toThrow(
      "x509",
    );
    const star = await secureServer({ key: pem("star.key"), cert: pem("star.crt") });
    const ask = (serverName: string) => get({ tls: { ca, serverName } }, `https://127.0.0.1:${star}/`);
    expect((await ask("a.local")).body).toBe("ok");
    for (const name of ["a.b.local", "local", "a.other"]) await expect(ask(name)).rejects.toThrow("x509");
  });

  test("with an authority that holds no certificate fails", async () => {
    const url = `https://127.0.0.1:${await secureServer()}/`;
    const caFile = join(directory, "hollow.crt");
    for (const text of ["", pem("server.key"), "rubbish"]) {
      writeFileSync(caFile, text);
      await expect(get({ tls: { caFile } }, url)).rejects.toThrow(
        `unable to use specified CA cert ${caFile}`,
      );
    }
  });

  test("takes up changed files without a restart", async () => {
    const url = `https://127.0.0.1:${await secureServer()}/`;
    const caFile = join(directory, "changing.crt");
    writeFileSync(caFile, pem("other.crt"));
    const made = client({ tls: { caFile } });
    await expect(made.request(url)).rejects.toThrow("x509");
    writeFileSync(caFile, `${pem("ca.crt")}\n`);
    expect((await (await made.request(url)).read(10)).toString()).toBe("ok");
  });

  test.each([
    [true, "2.0"],
    [false, "1.1"],
  ])("speaks HTTP/2 only when enabled (%s: HTTP/%s)", async (enableHttp2, version) => {
    const server = http2.createSecureServer({
      key: pem("server.key"),
      cert: pem("server.crt"),
      allowHTTP1: true,
    });
    server.on("request", (request, response) => response.end(request.httpVersion));
    const url = `https://127.0.0.1:${await listen(server)}/`;
    expect((await get({ enableHttp2, tls: { caFile: join(directory, "ca.crt") } }, url)).body).toBe(version);
  });
});
