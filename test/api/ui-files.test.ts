import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createApp } from "../../src/api/app.ts";
import { apiOptions, fakePorts } from "../support/fake-ports.ts";

const script = "console.log(1);\n".repeat(200);
let folder: string;
let app: FastifyInstance;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "narthex-ui-"));
  const ui = join(folder, "ui");
  mkdirSync(join(ui, "assets"), { recursive: true });
  writeFileSync(join(folder, "secret.js"), "not for you");
  writeFileSync(join(ui, "index.html"), "<title>NARTHEX_PAGE_TITLE</title>");
  writeFileSync(join(ui, "favicon.svg"), "<svg/>");
  writeFileSync(join(ui, "assets/index-BD3esXFx.js"), script);
  writeFileSync(join(ui, "assets/font.woff2"), Buffer.alloc(5000, 7));
  app = await createApp(fakePorts({}).ports, { ...apiOptions, uiDirectory: ui });
});

afterEach(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

describe("the web page's files", () => {
  test("are kept by browsers for good where their names change with them, else asked for again", async () => {
    const asset = await get("/assets/index-BD3esXFx.js");
    expect(asset.headers["content-type"]).toBe("text/javascript; charset=utf-8");
    expect(asset.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    expect(asset.body).toBe(script);
    const icon = await get("/favicon.svg");
    expect([icon.headers["content-type"], icon.headers["cache-control"], icon.body]).toEqual([
      "image/svg+xml",
      "no-cache",
      "<svg/>",
    ]);
  });

  test("are not sent again to who has them", async () => {
    const { etag } = (await get("/favicon.svg")).headers;
    const again = await get("/favicon.svg", { "if-none-match": String(etag) });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
    expect((await get("/favicon.svg", { "if-none-match": '"other"' })).statusCode).toBe(200);
  });

  test("answer HEAD without a body", async () => {
    const { headers, body, statusCode } = await app.inject({ method: "HEAD", url: "/assets/font.woff2" });
    expect([statusCode, body, headers["content-length"]]).toEqual([200, "", "5000"]);
  });

  test("are compressed where that is worth it", async () => {
    const packed = await get("/assets/index-BD3esXFx.js", { "accept-encoding": "gzip, br" });
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(packed.headers["vary"]).toContain("accept-encoding");
    expect(packed.headers["content-length"]).toBe(String(packed.rawPayload.length));
    expect(gunzipSync(packed.rawPayload).toString()).toBe(script);
    const font = await get("/assets/font.woff2", { "accept-encoding": "gzip, br" });
    expect([font.headers["content-encoding"], font.rawPayload.length]).toEqual([undefined, 5000]);
    const small = await get("/favicon.svg", { "accept-encoding": "gzip" });
    expect(small.headers["content-encoding"]).toBeUndefined();
  });

  test.each([
    "/assets/none.js",
    "/../secret.js",
    "/%2e%2e/secret.js",
    "/assets/..%2f..%2fsecret.js",
    "/assets",
  ])("are the only ones: %s is not found", async (url) => {
    const { statusCode, body } = await get(url);
    expect([statusCode, body.includes("not for you")]).toEqual([404, false]);
  });
});
