/** How every part of the server speaks HTTP to others: one configured client, with its connections. */
export {
  createHttpClient,
  type HttpClient,
  type HttpClientSurroundings,
  type HttpRequest,
  type HttpResponse,
  type WholeRequest,
  type WholeResponse,
  type PageClient,
  type PageRequest,
} from "./http-client.ts";
export { Cancellation } from "./cancellation.ts";
export { bodyBuffers } from "./plain-connections.ts";
export type { BodyBuffers } from "./response-reader.ts";
export { AnswerTooLargeError } from "./whole-answer.ts";
export { HttpRequestError } from "./request-error.ts";
export type * from "./options.ts";
