import type { MessagePort, TransferListItem, Worker } from "node:worker_threads";

/** Functions one thread offers another, by name: arguments and results are cloned. */
export type Calls = Record<string, (...args: never[]) => unknown>;

type Result<Function_> = Function_ extends (...args: never[]) => infer Value ? Awaited<Value> : never;

interface CallMessage {
  readonly type: "call";
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

interface ResultMessage {
  readonly type: "result";
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** A thread did not answer, or is gone. */
export class ThreadGoneError extends Error {
  override readonly name = "ThreadGoneError";
}

const MAX_WAITING_CALLS = 10_000;

/** The calling end: `call` sends and waits for the answer. */
export class ThreadCaller<Offered extends Calls> {
  private nextId = 1;
  private gone: string | null = null;
  private readonly waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (error: Error) => void }
  >();

  constructor(private readonly port: Worker | MessagePort) {
    port.on("message", (message: ResultMessage) => {
      if (message.type !== "result") return;
      const waiter = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (message.error !== undefined) waiter?.reject(new Error(message.error));
      else waiter?.resolve(message.value as never);
    });
  }

  call<Name extends keyof Offered & string>(
    name: Name,
    args: Parameters<Offered[Name]>,
    transfer: readonly TransferListItem[] = [],
  ): Promise<Result<Offered[Name]>> {
    // Nobody would answer, and whoever waits would wait for ever.
    if (this.gone !== null) return Promise.reject(new ThreadGoneError(this.gone));
    if (this.waiting.size >= MAX_WAITING_CALLS) {
      return Promise.reject(
        new ThreadGoneError(`cannot call ${name}: ${MAX_WAITING_CALLS} calls are waiting`),
      );
    }
    const id = this.nextId++;
    const message: CallMessage = { type: "call", id, name, args };
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      this.port.postMessage(message, [...transfer]);
    });
  }

  /** Fails every call still waiting, and those to come: the thread is gone. */
  abandon(why: string): void {
    this.gone ??= why;
    for (const waiter of this.waiting.values()) waiter.reject(new ThreadGoneError(why));
    this.waiting.clear();
  }
}

/** The answering end. Calls are taken in the order they come; one that waits does not hold up the next. */
export function answerCalls(port: MessagePort, calls: Calls): void {
  port.on("message", (message: CallMessage) => {
    if (message.type !== "call") return;
    void answer(message);
  });

  async function answer({ id, name, args }: CallMessage): Promise<void> {
    let reply: ResultMessage;
    try {
      const called = calls[name];
      if (!called) throw new Error(`this thread offers no ${name}`);
      reply = { type: "result", id, value: await called(...(args as never[])) };
    } catch (error) {
      reply = { type: "result", id, error: error instanceof Error ? error.message : String(error) };
    }
    port.postMessage(reply);
  }
}
