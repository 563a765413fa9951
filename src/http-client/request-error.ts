import type { Socket } from "node:net";

/** A request that brought no answer. The message is for people: `Get "http://…": connection refused`. */
export class HttpRequestError extends Error {
  override readonly name = "HttpRequestError";
  /** Whether the caller's deadline ended it. */
  readonly isTimeout: boolean;

  constructor(message: string, options: { readonly cause?: unknown; readonly isTimeout?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.isTimeout = options.isTimeout ?? false;
  }
}

const TLS_REASONS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate signed by unknown authority",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate signed by unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate signed by unknown authority",
  CERT_HAS_EXPIRED: "certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: "certificate has expired or is not yet valid",
};

/** Why a connection or an answer failed, in the words an operator knows from Go's programs. */
export function describeNetworkError(error: unknown): string {
  const { code, address, port, hostname, message } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  const peer = address === undefined ? "" : ` ${address.includes(":") ? `[${address}]` : address}:${port}`;
  if (error instanceof AggregateError && error.errors.length > 0)
    return describeNetworkError(error.errors.at(-1));
  switch (code) {
    case "ECONNREFUSED":
      return port === undefined && address
        ? `dial unix ${address}: connect: connection refused`
        : `dial tcp${peer}: connect: connection refused`;
    case "EHOSTUNREACH":
      return `dial tcp${peer}: connect: no route to host`;
    case "ENETUNREACH":
      return `dial tcp${peer}: connect: network is unreachable`;
    case "ETIMEDOUT":
      return `dial tcp${peer}: connect: connection timed out`;
    case "ENOENT":
      return `dial unix ${address ?? ""}: connect: no such file or directory`;
    case "ENOTFOUND":
      return `dial tcp: lookup ${hostname ?? ""}: no such host`;
    case "EAI_AGAIN":
      return `dial tcp: lookup ${hostname ?? ""}: server misbehaving`;
    case "ECONNRESET":
      return "read: connection reset by peer";
    case "EPIPE":
      return "write: broken pipe";
    case "UND_ERR_SOCKET":
      return "EOF";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `tls: failed to verify certificate: x509: ${message}`;
    default: {
      if (typeof code === "string" && code.startsWith("ERR_SSL_"))
        return describeTlsFault((error as { reason?: string }).reason ?? message);
      const reason = TLS_REASONS[code ?? ""];
      return reason ? `tls: failed to verify certificate: x509: ${reason}` : message;
    }
  }
}

/** A fault of the handshake, without what only its library's authors can read. */
function describeTlsFault(reason: string): string {
  const alert = /^(?:sslv3|tlsv1|tlsv13) alert (.+)$/.exec(reason)?.[1];
  return alert === undefined ? `tls: ${reason}` : `remote error: tls: ${alert}`;
}

/**
 * Whether a request failed because the server had closed a kept-alive connection just as we used it: the connection
 * had carried an answer before and this one never began. Such a request is safe to repeat on a new connection.
 */
export function wasStaleConnection(error: unknown): boolean {
  const { code, socket } = error as { code?: string; socket?: Pick<Socket, "bytesRead"> };
  return code === "UND_ERR_SOCKET" && (socket?.bytesRead ?? 0) > 0;
}
