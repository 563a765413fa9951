import { MessageChannel } from "node:worker_threads";
import { expect, test } from "vitest";
import { answerCalls, ThreadCaller } from "../../src/runtime/thread-calls.ts";

test("calls to a thread that is gone fail, those that wait and those that come later", async () => {
  const { port1, port2 } = new MessageChannel();
  const calls = { double: (n: number) => 2 * n, never: () => new Promise<void>(() => undefined) };
  answerCalls(port2, calls);
  const caller = new ThreadCaller<typeof calls>(port1);
  expect(await caller.call("double", [21])).toBe(42);
  const waiting = caller.call("never", []);
  caller.abandon("it ran out of memory");
  await expect(waiting).rejects.toThrow("it ran out of memory");
  await expect(caller.call("double", [1])).rejects.toThrow("it ran out of memory");
  port1.close();
  port2.close();
});
