import type { ErrorType } from "./types.ts";

/** Prometheus's error types, each with the HTTP status it always has. */
export const statusOfErrorType = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  internal: 500,
  unavailable: 500,
  not_found: 404,
  not_acceptable: 406,
} as const satisfies Record<ErrorType, number>;

/** An error the client is told in the API's envelope. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly errorType: ErrorType,
    message: string,
    readonly status: number = statusOfErrorType[errorType],
  ) {
    super(message);
  }

  static invalidParameter(name: string, cause: string): ApiError {
    return new ApiError("bad_data", `invalid parameter "${name}": ${cause}`);
  }
}
