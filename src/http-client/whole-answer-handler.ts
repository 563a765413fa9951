import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import {
  AnswerTooLargeError,
  BrokenAnswerError,
  PASSED_OVER_BYTES,
  type WholeAnswer,
} from "./whole-answer.ts";

/**
 * Gathers an answer straight from the connection's events. Nothing lies between: no stream, no signal, no async
 * iteration, each of which costs more than a small page's parsing.
 */
export class WholeAnswerHandler implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private givenUp: Error | null = null;
  private isKept = true;
  private statusCode = 0;
  private statusText = "";
  private headers: IncomingHttpHeaders = {};
  private readonly chunks: Buffer[] = [];
  private sizeBytes = 0;

  private resolve!: (answer: WholeAnswer) => void;
  private rejectWith!: (error: Error) => void;

  /** @throws AnswerTooLargeError, BrokenAnswerError, or what kept it from beginning */
  readonly answer = new Promise<WholeAnswer>((resolve, reject) => {
    this.resolve = resolve;
    this.rejectWith = reject;
  });

  constructor(
    /** A body of this size is too large already. */
    private readonly limitBytes: number,
  ) {}

  private reject(error: Error): void {
    const isBroken = this.statusCode !== 0 && !(error instanceof AnswerTooLargeError);
    this.rejectWith(isBroken ? new BrokenAnswerError(error.message, { cause: error }) : error);
  }

  /** Ends the exchange, and the connection with it; the answer fails with `error`. */
  giveUp(error: Error): void {
    this.givenUp ??= error;
    if (this.controller) this.controller.abort(error);
    else this.reject(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.givenUp) controller.abort(this.givenUp);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
    statusText?: string,
  ): void {
    if (statusCode < 200) return;
    this.statusCode = statusCode;
    this.statusText = statusText ?? "";
    this.headers = headers;
    this.isKept = statusCode === 200;
    const isTooLarge = Number(headers["content-length"] ?? 0) >= this.limitBytes;
    if (this.isKept && isTooLarge) this.giveUp(new AnswerTooLargeError());
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.sizeBytes += chunk.length;
    if (!this.isKept) this.passOver();
    else if (this.sizeBytes >= this.limitBytes) this.giveUp(new AnswerTooLargeError());
    else this.chunks.push(chunk);
  }

  /** What comes with an error is not wanted: a little is read, to keep the connection; more ends it. */
  private passOver(): void {
    if (this.sizeBytes <= PASSED_OVER_BYTES) return;
    this.onResponseEnd();
    this.controller?.abort(new Error("the body of an error was not wanted"));
  }

  onResponseEnd(): void {
    const { statusCode, statusText, headers, chunks, sizeBytes } = this;
    this.resolve({ statusCode, statusText, headers, chunks, sizeBytes });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.reject(this.givenUp ?? error);
  }
}
