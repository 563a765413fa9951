import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createApp } from "../../src/api/app.ts";
import { NotificationBoard } from "../../src/api/notification-board.ts";
import type { NotificationBody } from "../../src/api/types.ts";
import { apiOptions, fakePorts } from "../support/fake-ports.ts";

describe("the notifications", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  async function serve(board: NotificationBoard): Promise<string> {
    const { ports } = fakePorts({ notifications: board, lifecycle: { state: "starting" } });
    const app = await createApp(ports, apiOptions);
    await app.listen({ host: "127.0.0.1", port: 0 });
    closing.push(() => app.close());
    return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/v1/notifications`;
  }

  /** The events of a live stream, one after the other. */
  async function follow(url: string): Promise<{ next: () => Promise<NotificationBody>; response: Response }> {
    const abort = new AbortController();
    const response = await fetch(`${url}/live`, { signal: abort.signal });
    closing.unshift(async () => abort.abort());
    const reader = response.body?.getReader();
    let text = "";
    async function next(): Promise<NotificationBody> {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const event = text.slice(0, end);
          text = text.slice(end + 2);
          expect(event.startsWith("data: ")).toBe(true);
          return JSON.parse(event.slice("data: ".length)) as NotificationBody;
        }
        const read = await reader?.read();
        if (!read || read.done) throw new Error("the stream ended");
        text += new TextDecoder().decode(read.value);
      }
    }
    return { next, response };
  }

  test("are listed before the server is ready, one text once with its latest date", async () => {
    let now = Date.UTC(2026, 0, 1);
    const board = new NotificationBoard(() => now, 16);
    board.add("a");
    board.add("b");
    now += 1000;
    board.add("a");
    board.remove("b");
    board.remove("never there");
    const answer = await fetch(await serve(board));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      status: "success",
      data: [{ text: "a", date: "2026-01-01T00:00:01.000Z", active: true }],
    });
  });

  test("come live: first those that hold, then each as it comes and goes", async () => {
    const board = new NotificationBoard(() => 0, 16);
    board.add("old");
    const { next, response } = await follow(await serve(board));
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    expect(await next()).toMatchObject({ text: "old", active: true });
    board.add("new");
    expect(await next()).toMatchObject({ text: "new", active: true });
    board.remove("old");
    expect(await next()).toMatchObject({ text: "old", active: false });
  });

  test("turn away one follower too many with an empty answer, so that its browser stays away", async () => {
    const board = new NotificationBoard(() => 0, 1);
    board.add("a");
    const url = await serve(board);
    const first = await follow(url);
    await first.next();
    expect((await fetch(`${url}/live`)).status).toBe(204);
  });
});
